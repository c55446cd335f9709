"""What a request's body asks for, as input policies look at it.

Texts are decoded: what JSON escapes hide is seen, in the arguments of tool calls, too, which are
JSON within JSON. Images, sounds, files and what is encrypted are passed over. Never raises: the
body has been read as JSON before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from app.domain.call.request import InferenceRequest, Operation
from app.domain.policy.asked import Asked, Passage
from app.domain.policy.rules import Role
from app.errors import MalformedRequest
from app.wire.asked_features import Json, features_of, named
from app.wire.strict_json import parse_object

#: Members of a message that are words of the API.
_WORDS: Final = frozenset(
    {"call_id", "detail", "format", "id", "mime_type", "role", "status", "tool_call_id", "type"}
)
#: Members that hold no text, wherever they stand.
_BINARY: Final = frozenset({"b64_json", "data", "encrypted_content", "file_data"})
#: Where an operation has its prompt; chats and responses have it in messages.
_PROMPTS: Final[Mapping[Operation, frozenset[str]]] = {
    Operation.EMBEDDINGS: frozenset({"input"}),
    Operation.COMPLETIONS: frozenset({"prompt", "suffix"}),
}
_MESSAGES: Final = frozenset({"input", "instructions", "messages", "prediction"})
#: Parameters that a model does not read (openai-python 2's request types). What has another name
#: may be a text: other servers take templates and documents, and definitions are the caller's.
_SETTINGS: Final = frozenset(
    {
        "audio",
        "context_management",
        "conversation",
        "encoding_format",
        "function_call",
        "include",
        "metadata",
        "modalities",
        "moderation",
        "model",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "reasoning_effort",
        "safety_identifier",
        "service_tier",
        "stop",
        "stream_options",
        "tool_choice",
        "truncation",
        "user",
        "verbosity",
        "web_search_options",
    }
)
_ROLES: Final[Mapping[object, Role]] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
#: Members of a message of which nothing but its role says who speaks.
_USUAL: Final = frozenset({"content", "name", "refusal", "role", "tool_call_id", "tool_calls"})
#: Items of a response that a model has made, beside calls.
_OF_MODELS: Final = frozenset({"compaction", "mcp_approval_request", "reasoning"})
#: Members of a call that its tool has filled in.
_RESULTS: Final = frozenset({"error", "output", "outputs", "results"})
#: In a string of JSON: a character by its number, or one that stands for itself.
_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/]))')
#: What readers pass over before JSON, and what JSON that has strings begins with.
_BEFORE_JSON: Final = "\ufeff \t\r\n"
_JSON_BEGINS: Final = frozenset({"{", "[", '"'})
#: Members that may hold an image as a data URL.
_URLS: Final = frozenset({"file_url", "image_url", "url"})


_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def names_of(request: InferenceRequest) -> tuple[str, ...]:
    """Of its parameters alone."""
    try:
        return tuple(_MEMBERS.decode(request.body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()


def asked_of(request: InferenceRequest) -> Asked:
    """All of it; takes time in proportion to the body."""
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        body = None
    if not isinstance(body, dict):
        return Asked()
    return Asked(
        parameters=tuple(body),
        features=features_of(request.operation, body),
        passages=tuple(_passages(request.operation, body)),
        unreadable=_token_ids(request.operation, body),
    )


def _passages(operation: Operation, body: Json) -> Iterator[Passage]:
    prompts = _PROMPTS.get(operation, _MESSAGES)
    if prompts is _MESSAGES:
        yield from _plain(Role.SYSTEM, "instructions", body.get("instructions"))
        for field in ("messages", "input"):
            yield from _messages(field, body.get(field))
        yield from _plain(Role.ASSISTANT, "prediction", body.get("prediction"))
    else:
        for field in sorted(prompts):
            yield from _plain(Role.USER, field, body.get(field))
    for field, value in body.items():
        if field not in prompts and field not in _SETTINGS:
            yield from (Passage(Role.DEFINITION, field, text.encode()) for text in _defined(value))


def _plain(role: Role, field: str, value: object) -> Iterator[Passage]:
    """A text, or a list of them."""
    if isinstance(value, str):
        yield from (Passage(role, field, text.encode()) for text in _text(value))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            for text in _texts(each):
                yield Passage(role, f"{field}[{index}]", text.encode())
    else:
        yield from (Passage(role, field, text.encode()) for text in _texts(value))


def _messages(field: str, value: object) -> Iterator[Passage]:
    if not isinstance(value, list):
        yield from _plain(Role.USER, field, value)
        return
    for index, item in enumerate(value):
        place = f"{field}[{index}]"
        if isinstance(item, dict) and "role" in item and _USUAL.issuperset(item):
            role = _role(item["role"])
            yield from (Passage(role, place, text.encode()) for text in _texts(item))
            continue
        roles = _roles(item)
        for inner, said_by in ((item, roles), (_results(item), {Role.TOOL} - roles)):
            for text in _texts(inner) if said_by else ():
                yield from (Passage(role, place, text.encode()) for role in said_by)
        for text in _defined(named(item, "tools") if isinstance(item, dict) else None):
            yield Passage(Role.DEFINITION, place, text.encode())


def _role(said: object) -> Role:
    return _ROLES.get(said, Role.USER) if isinstance(said, str) else Role.USER


def _roles(item: object) -> set[Role]:
    """Every role that a reader may take an item for: by its `role`, and by its type.

    They are the same but for what contradicts itself, or is spelled otherwise; that may be neither
    hidden from what looks at one of them nor from what looks at the other.
    """
    if not isinstance(item, dict):
        return {Role.USER}
    said, kinds = named(item, "role"), named(item, "type")
    roles = set(map(_role, said))
    if "role" not in item and set(map(str, kinds)) <= {"message"}:
        roles.add(Role.USER)
    return roles | {_of_kind(each) for each in kinds if each != "message"}


def _of_kind(kind: object) -> Role:
    """Of a response's item. What nobody knows the type of is the caller's."""
    word = kind.lower() if isinstance(kind, str) else ""
    if word.endswith("_output"):
        return Role.TOOL
    return Role.ASSISTANT if word.endswith("_call") or word in _OF_MODELS else Role.USER


def _results(item: object) -> list[Any]:
    """What a tool has answered, within its call."""
    if not isinstance(item, dict):
        return []
    return [value for name, value in item.items() if name.lower() in _RESULTS]


def _texts(value: object) -> Iterator[str]:
    """Every text in a message; names of members are the API's."""
    if isinstance(value, str):
        yield from _text(value)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if not (isinstance(inner, str) and _is_no_text(name, inner)):
                yield from _texts(inner)


def _is_no_text(name: str, value: str) -> bool:
    is_image = name in _URLS and value[:5].lower() == "data:"
    return is_image or name in _WORDS or name in _BINARY


def _text(text: str) -> Iterator[str]:
    if text:
        yield text
    if "\\" in text and text.lstrip(_BEFORE_JSON)[:1] in _JSON_BEGINS:
        yield from _inner(text)


def _inner(text: str) -> Iterator[str]:
    """What JSON in a text says with escapes, as arguments of calls do.

    What readers read differently, or not at all, has its escapes decoded where they stand: a name
    that is there twice, nesting without end, or a comma too many hide nothing.
    """
    try:
        value = parse_object(b'{"":%b}' % text.encode())
    except MalformedRequest:
        if (decoded := _unescaped(text)) != text:
            yield decoded
    else:
        yield from _defined(list(value.values()))


def _unescaped(text: str) -> str:
    decoded = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
    return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _defined(value: object) -> Iterator[str]:
    """Every text and name in a definition: its names are the caller's, too."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _defined(each)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _defined(inner)


def _token_ids(operation: Operation, body: Json) -> str:
    field = "input" if operation is Operation.EMBEDDINGS else "prompt"
    is_plain = operation in {Operation.EMBEDDINGS, Operation.COMPLETIONS}
    return field if is_plain and _has_number(body.get(field)) else ""


def _has_number(value: object) -> bool:
    if isinstance(value, list):
        return any(_has_number(each) for each in value)
    return isinstance(value, int | float)
