"""What a request's body asks for, as input policies look at it.

Texts are decoded: what JSON escapes hide is seen, in the arguments of tool calls, too, which are
JSON within JSON. Images, sounds, files and what is encrypted are passed over. Never raises: the
body has been read as JSON before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from app.domain.call.request import InferenceRequest, Operation
from app.domain.policy.asked import Asked, Passage
from app.domain.policy.rules import Feature, Role
from app.errors import MalformedRequest
from app.wire.strict_json import parse_object

Json = Mapping[str, Any]

#: Members of a message that are words of the API.
_WORDS: Final = frozenset(
    {"call_id", "detail", "format", "id", "mime_type", "role", "status", "tool_call_id", "type"}
)
#: Members that hold no text, wherever they stand.
_BINARY: Final = frozenset({"b64_json", "data", "encrypted_content", "file_data"})
#: Tools that the caller itself runs; all others are run upstream.
_OWN_TOOLS: Final = frozenset({"custom", "function"})
#: What a model reads beside the messages.
_DEFINITIONS: Final = ("tools", "functions", "response_format", "text")
_ROLES: Final[Mapping[object, Role]] = {
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
#: Items of a response that a model has made, beside calls.
_OF_MODELS: Final = frozenset({"compaction", "mcp_approval_request", "reasoning"})
#: Members of a call that its tool has filled in.
_RESULTS: Final = frozenset({"error", "output", "outputs", "results"})
#: In a string of JSON: a character by its number, or one that stands for itself.
_ESCAPE: Final = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/]))')
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
        features=dict(_features(request.operation, body)),
        passages=tuple(_passages(request.operation, body)),
        unreadable=_token_ids(request.operation, body),
    )


def _features(operation: Operation, body: Json) -> Iterator[tuple[Feature, str]]:
    yield from _of_tools(body)
    yield from _of_answers(operation, body)
    for field in ("messages", "input"):
        if isinstance(body.get(field), list):
            yield from _of_parts(field, body[field])
    if body.get("audio") or "audio" in _words(body.get("modalities")):
        yield Feature.AUDIO, "audio" if body.get("audio") else "modalities"


def _of_tools(body: Json) -> Iterator[tuple[Feature, str]]:
    for field in ("tools", "functions"):
        if body.get(field):
            yield Feature.TOOLS, field
    kinds = [str(tool.get("type", "function")) for tool in _objects(body.get("tools"))]
    if any(kind not in _OWN_TOOLS for kind in kinds):
        yield Feature.HOSTED_TOOLS, "tools"
    if any(kind.startswith("web_search") for kind in kinds):
        yield Feature.WEB_SEARCH, "tools"
    if body.get("web_search_options") is not None:
        yield from ((each, "web_search_options") for each in _SEARCHES)


_SEARCHES: Final = (Feature.TOOLS, Feature.HOSTED_TOOLS, Feature.WEB_SEARCH)


def _of_answers(operation: Operation, body: Json) -> Iterator[tuple[Feature, str]]:
    for field in ("n", "best_of"):
        if body.get(field) not in (None, 1):
            yield Feature.SEVERAL_ANSWERS, field
    for field in ("logprobs", "top_logprobs"):
        # Of completions 0 asks for those of the tokens that were chosen.
        if body.get(field) is not None and body[field] is not False:
            yield Feature.LOGPROBS, field
    if any("logprobs" in each for each in _words(body.get("include"))):
        yield Feature.LOGPROBS, "include"
    if body.get("background"):
        yield Feature.BACKGROUND, "background"
    # A response is stored unless it says otherwise; a chat is not.
    unsaid = operation is Operation.RESPONSES
    if (body.get("store") is None and unsaid) or body.get("store"):
        yield Feature.STORE, "store"


def _of_parts(field: str, items: Iterable[object]) -> Iterator[tuple[Feature, str]]:
    found: dict[Feature, str] = {}
    for index, item in enumerate(items):
        for part in _mappings(item):
            for feature in _of_part(part):
                found.setdefault(feature, f"{field}[{index}]")
    yield from found.items()


def _of_part(part: Json) -> Iterator[Feature]:
    kind = part.get("type")
    kind = kind if isinstance(kind, str) else ""
    if "image" in kind or "screenshot" in kind or "image_url" in part:
        yield Feature.IMAGES
    if "file" in kind or "file_data" in part or "file_url" in part:
        yield Feature.FILES
    if "audio" in kind:
        yield Feature.AUDIO


def _mappings(value: object) -> Iterator[Json]:
    """A message and all that is in it."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            if isinstance(inner, dict | list):
                yield from _mappings(inner)
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, dict | list):
                yield from _mappings(each)


def _passages(operation: Operation, body: Json) -> Iterator[Passage]:
    if operation is Operation.EMBEDDINGS:
        yield from _plain(Role.USER, "input", body.get("input"))
        return
    if operation is Operation.COMPLETIONS:
        for field in ("prompt", "suffix"):
            yield from _plain(Role.USER, field, body.get(field))
        return
    yield from _plain(Role.SYSTEM, "instructions", body.get("instructions"))
    for field in ("messages", "input"):
        yield from _messages(field, body.get(field))
    yield from _plain(Role.ASSISTANT, "prediction", body.get("prediction"))
    for field in _DEFINITIONS:
        for text in _defined(body.get(field)):
            yield Passage(Role.DEFINITION, field, text.encode())


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
        roles, place = _roles(item), f"{field}[{index}]"
        for inner, said_by in ((item, roles), (_results(item), {Role.TOOL} - roles)):
            for text in map(str.encode, _texts(inner) if said_by else ()):
                yield from (Passage(role, place, text) for role in said_by)


def _roles(item: object) -> set[Role]:
    """Every role that a reader may take an item for: by its `role`, and by its type.

    They are the same but for what contradicts itself, or is spelled otherwise; that may be neither
    hidden from what looks at one of them nor from what looks at the other.
    """
    if not isinstance(item, dict):
        return {Role.USER}
    said, kinds = _named(item, "role"), _named(item, "type")
    roles = {_ROLES.get(each, Role.USER) if isinstance(each, str) else Role.USER for each in said}
    if "role" not in item and set(map(str, kinds)) <= {"message"}:
        roles.add(Role.USER)
    return roles | {_of_kind(each) for each in kinds if each != "message"}


def _named(item: Json, name: str) -> list[Any]:
    """Members of that name, in whatever case: readers differ on whether they are the same."""
    return [value for key, value in item.items() if key == name or key.lower() == name]


def _of_kind(kind: object) -> Role:
    """Of a response's item. What nobody knows the type of is the caller's."""
    word = kind.lower() if isinstance(kind, str) else ""
    if word.endswith(("_output", "_response")):
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
    if "\\" in text and text.lstrip()[:1] in {"{", "["}:
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


def _words(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _objects(value: object) -> list[Json]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
