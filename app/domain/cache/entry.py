"""An answer that is kept, and what a request is known by in the cache."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.domain.call.request import Operation
from app.domain.quota.usage import Usage

#: Bytes of a fingerprint or a partition, both BLAKE2b.
DIGEST_BYTES: Final = 16


class Bypass(StrEnum):
    """Why a request is not for the cache; a closed set.

    The first five stand in place of a Question: nothing may be kept or looked up. The others, and
    OPERATION, are a Question's `reason`: only the same request may have the same answer.
    """

    OPERATION = "operation"  # nothing of it is cached, or nothing by meaning
    BACKGROUND = "background"  # the answer comes later, to be asked for by its id
    #: Part of what is asked is stored upstream and may change there, or the answer is to be stored.
    STORED = "stored"
    REMOTE = "remote"  # part of what is asked is behind a URL, and may change there
    HOSTED_TOOLS = "hosted_tools"  # live data, or effects beside the answer

    TOOLS = "tools"
    NOT_TEXT = "not_text"
    NO_USER_TURN = "no_user_turn"  # the last message is not the user's, or says nothing
    SEVERAL_CHOICES = "several_choices"
    LOGPROBS = "logprobs"
    TOO_SHORT = "too_short"  # this and the next two by the caches' policy
    TOO_LONG = "too_long"
    TEMPERATURE = "temperature"


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks, as the cache sees it.

    `fingerprint` is of everything that shapes the answer. `partition` is of the same without the
    last user turn, which is `prompt`; both are empty where meaning alone may not decide, and
    `reason` then says why. `temperature` is what the request asks for, None the model's default.
    """

    fingerprint: bytes
    partition: bytes = b""
    prompt: str = ""
    reason: str = ""  # a Bypass
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One whole answer; `body` is the JSON that a caller who does not stream would get.

    What it took is what a hit saves: tokens, nano-dollars, seconds.
    """

    question: Question
    operation: Operation
    model: str  # a key of `models:`
    request_id: str  # of the request that it was the answer to
    stored_at: float  # Unix time
    body: bytes
    usage: Usage
    nano_usd: int
    seconds: float
    deployment: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry that means nearly the same; `distance` is the cosine distance, 0 to 2.

    `tenant` and `partition` are as the entry has them, to be checked again.
    """

    tenant: str
    partition: bytes
    fingerprint: bytes
    prompt: str
    distance: float
    stored_at: float
