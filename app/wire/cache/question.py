"""What a request asks, known by digests of everything that shapes its answer.

Fields that do not shape it, by OpenAI's reference of each operation (openai-python 3.51) and
Azure's (v1, 2026-11), are named here; all others count, those of tomorrow included. A request that
does not hold all that it asks about has no question: what is stored upstream or behind a URL may
change while the request stays the same. A response that is to be stored has none either: it is an
object of its own, and who made it can read, continue and delete it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, Final

import msgspec

from app.domain.cache.entry import DIGEST_BYTES, Bypass, Question
from app.domain.call.request import INFERENCE, InferenceRequest, Operation
from app.wire.cache.canonical import canonical, read
from app.wire.cache.meaning import last_turn

Fields = dict[str, Any]

#: Who asks, and how the answer is delivered, billed or filed. `user` also helped upstreams' prompt
#: caches, as the two keys for them do.
_UNSHAPING: Final = frozenset({"safety_identifier", "stream", "stream_options", "user"})
_UNSHAPING_OF: Final = {
    Operation.CHAT_COMPLETIONS: _UNSHAPING
    | {
        "metadata",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "store",  # filed for evaluations; the gateway does not serve what is filed
        "user_security_context",  # Azure's, for Defender
    },
    # What is stored has no question, whatever else it says.
    # `prompt_cache_options` may ask for no answer at all (`prewarm`), and is told in the answer.
    Operation.RESPONSES: _UNSHAPING | {"metadata", "prompt_cache_key", "store"},
    Operation.COMPLETIONS: _UNSHAPING,
    Operation.EMBEDDINGS: _UNSHAPING,
}
#: Of a response, what continues something that is kept upstream, or takes it in.
_STORED: Final = ("previous_response_id", "conversation", "prompt")
#: Tools that the caller runs itself; all others run upstream, or on what only upstream sees. No
#: set: a list that stands where a type should cannot be looked up in one.
_OWN_TOOLS: Final = ("function", "custom")
#: Names of what may be a URL, in the canonical form, and as they stand in a message.
_MAY_BE_REMOTE: Final = (b'"image_url"', b'"file_url"')
_URLS: Final = frozenset({"image_url", "file_url"})

_FORM: Final = 1  # of what is digested; raised when it changes


def question_of(request: InferenceRequest, *, salt: bytes = b"") -> Question | Bypass:
    """What an inference request asks, whose body has been read before; or why it has no question.

    `salt` is whatever else shapes the answer: the base models behind the name, and request headers
    that are passed on. Takes time in proportion to the body.
    """
    if request.operation not in INFERENCE:
        return Bypass.OPERATION
    try:
        fields = read(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Bypass.OPERATION
    bypass = _bypass(request, fields)
    if bypass is not None:
        return bypass
    shaping = _shaping(request, fields)
    whole = canonical(shaping)
    if _is_remote(whole, fields):
        return Bypass.REMOTE
    about = canonical([_FORM, request.operation, request.model, request.route.query, salt.hex()])
    return _question(request, shaping, whole, about)


def _question(request: InferenceRequest, shaping: Fields, whole: bytes, about: bytes) -> Question:
    fingerprint = _digest(b"question", about, whole)
    temperature = shaping.get("temperature")
    if not isinstance(temperature, int | float) or isinstance(temperature, bool):
        temperature = None
    turn = last_turn(request.operation, shaping)
    if isinstance(turn, Bypass):
        return Question(fingerprint, reason=turn, temperature=temperature)
    partition = _digest(b"partition", about, canonical(turn.rest))
    return Question(fingerprint, partition, turn.text, temperature=temperature)


def _digest(kind: bytes, about: bytes, fields: bytes) -> bytes:
    """Of an array and an object behind it: where one ends and the next begins is in their JSON."""
    digest = blake2b(about, digest_size=DIGEST_BYTES, person=kind)
    digest.update(fields)
    return digest.digest()


def _shaping(request: InferenceRequest, fields: Fields) -> Fields:
    """The fields that count; the model is told apart, because a URL may name it."""
    dropped = _UNSHAPING_OF[request.operation]
    shaping = {name: each for name, each in fields.items() if name not in dropped}
    shaping.pop("model", None)
    return shaping


def _bypass(request: InferenceRequest, fields: Mapping[str, Any]) -> Bypass | None:
    if fields.get("background"):
        return Bypass.BACKGROUND
    if request.references or _takes_stored(request, fields):
        return Bypass.STORED
    if _has_hosted_tools(fields):
        return Bypass.HOSTED_TOOLS
    # Its id stands for an object of the caller's own, to be read, continued and deleted.
    return Bypass.STORED if request.stores else None


def _takes_stored(request: InferenceRequest, fields: Mapping[str, Any]) -> bool:
    return request.operation is Operation.RESPONSES and any(fields.get(name) for name in _STORED)


def _has_hosted_tools(fields: Mapping[str, Any]) -> bool:
    if fields.get("web_search_options") is not None:
        return True
    tools = fields.get("tools") or ()
    return not isinstance(tools, Iterable) or not all(map(_is_own, tools))


def _is_own(tool: object) -> bool:
    return isinstance(tool, Mapping) and tool.get("type") in _OWN_TOOLS


def _is_remote(whole: bytes, fields: Mapping[str, Any]) -> bool:
    """Whether an image or a file is somewhere else; few bodies need to be walked through."""
    if not any(name in whole for name in _MAY_BE_REMOTE):
        return False
    return _has_url(fields.get("messages")) or _has_url(fields.get("input"))


def _has_url(value: object) -> bool:
    if isinstance(value, list):
        return any(map(_has_url, value))
    if not isinstance(value, dict):
        return False
    return any(
        _is_elsewhere(each) if name in _URLS else _has_url(each) for name, each in value.items()
    )


def _is_elsewhere(value: object) -> bool:
    """Chat nests the URL, responses do not. What is neither is the upstream's to refuse."""
    url = value.get("url") if isinstance(value, dict) else value
    return isinstance(url, str) and url[:5].lower() != "data:"
