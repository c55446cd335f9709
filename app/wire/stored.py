"""What a body names that is kept in an upstream's resource, which all tenants share.

A gateway's credential reaches all of it, so whose it is must be known before a name is passed on.
Known are the items of responses; of files, vector stores, conversations, stored prompts and the
like, which cannot be made through the gateway, nobody's name is accepted. Sources: the request
types of openai-python 3.51, and Azure's v1 reference of conversations, files, containers and vector
stores (2026-11).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from app.domain.call.request import Operation
from app.errors import MalformedRequest
from app.wire.sse import FrameBuffer, data_of

_RESPONSES: Final = Operation.RESPONSES

#: A request takes up so many items at most: each is looked up.
MOST_REFERENCES: Final = 1000
_LONGEST_ID: Final = 512

#: Fields of a body that name a conversation, a prompt, an agent; or an index that the resource
#: itself may read (Azure's `data_sources`).
_WHOLE: Final = {
    Operation.RESPONSES: ("conversation", "prompt", "agent", "agent_reference"),
    Operation.CHAT_COMPLETIONS: ("data_sources",),
}
_PARTS: Final = {
    Operation.RESPONSES: ("input", "tools", "prompt_cache_options"),
    Operation.CHAT_COMPLETIONS: ("messages", "audio"),
}
#: Members, wherever they stand in those parts, that name something of unknown owner.
_UNKNOWN: Final = frozenset(
    {
        "connection_id",
        "file_id",
        "file_ids",
        "index_asset_id",
        "memory_store_name",
        "project_connection_id",
        "skill_id",
        "tunnel_id",
        "vector_store_id",
        "vector_store_ids",
    }
)
#: Members that name an answer, or what one has made; `container` may also be an object that asks
#: for one. An answer that is compared with tells how far another's prompt is like one's own.
_MADE: Final = frozenset(
    {"approval_request_id", "comparison_response_id", "container", "container_id"}
)
#: Chat's audio answers and custom voices are named by the `id` of these.
_WITH_ID: Final = frozenset({"audio", "voice"})
_NAMED: Final = _UNKNOWN | _MADE
#: The caller's own words: schemas, and citations, which are not read again.
_OPAQUE: Final = frozenset({"annotations", "input_schema", "metadata", "parameters", "schema"})

#: Items that may hold all there is encrypted. In others it is a member that an upstream may pass
#: over, and take the item up from the store all the same.
_SEALED_ITEMS: Final = frozenset({"compaction", "reasoning"})
_MAY_SAY_ALL: Final = _SEALED_ITEMS | {"message"}
#: Items that say all there is in themselves; what else has an `id` is taken up from the store.
_WHOLE_ITEMS: Final = frozenset(
    {
        "apply_patch_call",
        "apply_patch_call_output",
        "computer_call",
        "computer_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "function_call",
        "function_call_output",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_response",
        "shell_call",
        "shell_call_output",
    }
)


def references_of(operation: Operation, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The ids of stored items, containers and compared responses that a request names, each once.

    Raises MalformedRequest for whatever else it names that is stored.
    """
    for name in _spelled(_WHOLE.get(operation, ()), fields):
        if fields[name]:
            raise _unknown_owner(name)
    made: list[str] = []
    for name in _spelled(_PARTS.get(operation, ()), fields):
        if (path := _through(fields[name], made)) is not None:
            raise _unknown_owner(name + path)
    for name in _spelled(("input",) if operation is _RESPONSES else (), fields):
        if isinstance(fields[name], list):
            made += _items_taken_up(fields[name])
    return _checked(made) if made else ()


def _spelled(names: tuple[str, ...], fields: Mapping[str, Any]) -> list[str]:
    """Those that are there, and then those that readers who do not mind case take for one."""
    found = [name for name in names if name in fields]
    if _is_odd("".join(fields)):
        found += [each for each in fields if _is_odd(each) and each.casefold() in names]
    return found


def _through(value: object, made: list[str]) -> str | None:
    """The path from here of the first name of unknown owner; what was made is collected."""
    # By their types: a decoder makes no others, and a long conversation has many values.
    if type(value) is list:
        for index, each in enumerate(value):
            is_nested = type(each) is dict or type(each) is list
            if is_nested and (path := _through(each, made)) is not None:
                return f"[{index}]{path}"
    elif type(value) is dict:
        for name, inner in value.items():
            # A word under a plain name, as nearly all are, says nothing.
            says = type(inner) is not str or name in _NAMED or _is_odd(name)
            if says and (path := _member(name, inner, made)) is not None:
                return path
    return None


def _member(name: str, value: object, made: list[str]) -> str | None:
    meant = name.casefold() if _is_odd(name) else name
    if meant in _UNKNOWN and value:
        return f".{name}"
    if isinstance(value, str):
        if meant in _MADE:
            made.append(value)
    elif (type(value) is dict or type(value) is list) and name not in _OPAQUE:
        if meant in _WITH_ID and type(value) is dict and any(_ids(value)):
            return f".{name}.id"
        if (path := _through(value, made)) is not None:
            return f".{name}{path}"
    return None


def _is_odd(name: str) -> bool:
    """Whether a reader that does not mind case could take it for another name."""
    return not (name.isascii() and name.islower())


def _ids(item: Mapping[str, Any]) -> list[Any]:
    """What it gives for its id, in whatever spelling."""
    return [value for name, value in item.items() if name == "id" or name.casefold() == "id"]


def _items_taken_up(items: Iterable[object]) -> list[str]:
    return [
        each
        for item in items
        if isinstance(item, dict) and not _is_whole(item)
        for each in _ids(item)
        if isinstance(each, str)
    ]


def _is_whole(item: Mapping[str, Any]) -> bool:
    """What is spelled otherwise may say, to another reader, what it is."""
    kind = item.get("type") or "message"
    if not isinstance(kind, str) or _is_odd("".join(item)):
        return False
    says = item.get("content") if kind == "message" else item.get("encrypted_content")
    return kind in _WHOLE_ITEMS or (bool(says) and kind in _MAY_SAY_ALL)


def _checked(ids: list[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(ids))
    if len(unique) > MOST_REFERENCES:
        message = f"The request refers to more than {MOST_REFERENCES} stored items."
        raise MalformedRequest(message, code="invalid_value", param="input")
    if any(not 0 < len(each) <= _LONGEST_ID for each in unique):
        message = f"Invalid 'input': an id has 1 to {_LONGEST_ID} characters."
        raise MalformedRequest(message, code="invalid_value", param="input")
    return unique


def _unknown_owner(path: str) -> MalformedRequest:
    message = (
        f"Unsupported parameter: '{path}'. It names something that is stored with the upstream, "
        "which all tenants of this gateway share, and the gateway does not know whose it is. "
        "Send the content itself instead."
    )
    return MalformedRequest(message, code="unsupported_parameter", param=path)


class _Item(msgspec.Struct):
    id: str | None = None
    type: str | None = None
    encrypted_content: str | None = None
    container_id: str | None = None


class _Response(msgspec.Struct):
    output: list[_Item] | None = None


class _Event(msgspec.Struct):
    response: _Response | None = None


_RESPONSE: Final = msgspec.json.Decoder(_Response)
_EVENT: Final = msgspec.json.Decoder(_Event)


def made_by_body(body: bytes, *, stored: bool) -> tuple[str, ...]:
    """The ids that a response's `output` gives: of its items and their containers.

    Of one that is not stored, only of items that do not say all in themselves. Nothing but `output`
    is looked at: the rest of a response repeats what the caller wrote.
    """
    try:
        return _made_by(_RESPONSE.decode(body), stored=stored)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ()


def made_by_frames(frames: bytes, *, stored: bool) -> tuple[str, ...]:
    """The same of the last of a stream's frames, one of which has the whole response."""
    buffer = FrameBuffer(len(frames))
    made: list[str] = []
    for frame in [*buffer.feed(frames), *buffer.last()]:
        try:
            event = _EVENT.decode(data_of(frame))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        made += _made_by(event.response, stored=stored) if event.response else ()
    return tuple(dict.fromkeys(made))


def _made_by(response: _Response, *, stored: bool) -> tuple[str, ...]:
    made: list[str] = []
    for item in response.output or ():
        is_sealed = item.type in _SEALED_ITEMS and item.encrypted_content
        says_all = item.type in _WHOLE_ITEMS or item.type == "message" or is_sealed
        if item.id and (stored or not says_all):
            made.append(item.id)
        if item.container_id:
            made.append(item.container_id)
    return tuple(dict.fromkeys(made))
