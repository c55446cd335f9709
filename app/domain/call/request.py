"""What a caller asks for: the operation, the few fields that decide, and the original bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

#: A gateway's or OpenAI's key, a JWT, and what is as long and as unbroken as Azure's keys.
_CREDENTIAL: Final = re.compile(
    r"(?<![A-Za-z0-9])(?:spg_|sk-|eyJ)[A-Za-z0-9._~+/=-]{12,}|[A-Za-z0-9]{32,}"
)
_MOST_SHOWN: Final = 200


def shown(text: str) -> str:
    """A caller's own words as a refusal repeats them: cut, and nothing like a credential in it.

    Refusals end up in the logs of clients and of proxies between.
    """
    return _CREDENTIAL.sub("(not shown)", text)[:_MOST_SHOWN]


class Operation(StrEnum):
    """One API operation; the value is the name used in metrics, logs and documents."""

    CHAT_COMPLETIONS = "chat_completions"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    RESPONSES = "responses"
    RETRIEVE_RESPONSE = "retrieve_response"
    DELETE_RESPONSE = "delete_response"
    CANCEL_RESPONSE = "cancel_response"
    LIST_INPUT_ITEMS = "list_input_items"
    LIST_MODELS = "list_models"
    RETRIEVE_MODEL = "retrieve_model"
    OWN_ACCOUNT = "own_account"


class Accounting(StrEnum):
    """How an operation is accounted for; every route declares one."""

    TOKENS = "tokens"  # metered: the upstream generates or embeds
    NONE = "none"  # costs no tokens: reads and deletes


#: Operations whose answer is written word by word, and may come as a stream.
WRITTEN: Final = frozenset({Operation.CHAT_COMPLETIONS, Operation.COMPLETIONS, Operation.RESPONSES})
INFERENCE: Final = WRITTEN | {Operation.EMBEDDINGS}
_ASKED_FOR_USAGE: Final = frozenset({Operation.CHAT_COMPLETIONS, Operation.COMPLETIONS})
STORED_RESPONSE = frozenset(
    {
        Operation.RETRIEVE_RESPONSE,
        Operation.DELETE_RESPONSE,
        Operation.CANCEL_RESPONSE,
        Operation.LIST_INPUT_ITEMS,
    }
)


@dataclass(frozen=True, slots=True)
class Route:
    """Which operation a method and path name, and what the path itself says about it."""

    operation: Operation
    method: str
    accounting: Accounting
    model: str | None = None  # of a deployment URL, or of a model's own URL
    response_id: str | None = None
    query: str = ""  # what is forwarded of it; `api-version` is not


class InferenceRequest(msgspec.Struct, frozen=True, gc=False):
    """One call as read from the wire; `body` is what the caller sent, unchanged."""

    route: Route
    model: str  # a key of `models:`; empty for operations on a stored response
    body: bytes
    stream: bool = False
    wants_usage: bool = False  # the caller itself asked for the stream's usage frame
    output_cap: int | None = None  # the largest cap that the caller declared, in tokens
    choices: int = 1  # n or best_of, whichever is larger
    prompts: int = 1  # each of which has so many choices
    previous_response_id: str | None = None
    references: tuple[str, ...] = ()  # ids of stored items and containers that it takes up
    cache_key: bytes = b""  # the same for prompts that begin alike; empty: nothing to keep together
    stores: bool = False  # the answer can be asked for again by its id
    background: bool = False  # it goes on when its answer, or its caller, has gone

    @property
    def operation(self) -> Operation:
        """The operation of the route."""
        return self.route.operation

    @property
    def is_bound(self) -> bool:
        """Whether only the deployment that holds a stored response can serve it."""
        return (self.route.response_id or self.previous_response_id) is not None

    @property
    def is_retold(self) -> bool:
        """Whether its answer was made before: an error in it is of then, and nobody's now."""
        return self.route.operation in STORED_RESPONSE

    @property
    def adds_usage(self) -> bool:
        """Whether the gateway asks for the usage frame on the caller's behalf, and removes it."""
        return self.stream and not self.wants_usage and self.route.operation in _ASKED_FOR_USAGE
