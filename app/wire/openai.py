"""OpenAI's request bodies in, and the same bodies out with what a deployment needs changed.

What is read decides routing and accounting; everything else, fields of tomorrow included, passes
through as the bytes that came.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import msgspec

from app.domain.call.request import STORED_RESPONSE, InferenceRequest, Operation, Route, shown
from app.errors import MalformedRequest
from app.wire.cache_key import cache_key
from app.wire.plain_chat import PlainChat, plain_chat
from app.wire.splice import with_model, with_usage_asked_for
from app.wire.stored import references_of
from app.wire.strict_json import MAX_DEPTH, members_of, parse_object, replace_members

#: Every name under which an API caps its output; the largest declared one counts. A reader passes
#: over what its API does not have: where none of its own is declared there is no cap.
_OUTPUT_CAPS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
#: Names that decide where a request goes. What it used is counted by what the upstream tells, and
#: what else a tenant may not do, its policy looks for in any spelling.
_DECIDING = frozenset({"model", "stream", "previous_response_id", "conversation"})
_MAX_NAME = 256
_CHAT, _RESPONSES = Operation.CHAT_COMPLETIONS, Operation.RESPONSES
_COMPLETIONS = Operation.COMPLETIONS
_OWN_CAPS = {
    _CHAT: frozenset({"max_tokens", "max_completion_tokens"}),
    _COMPLETIONS: frozenset({"max_tokens"}),
    _RESPONSES: frozenset({"max_output_tokens"}),
}
#: From here on a double has no fractions to leave out.
_MOST_WHOLE = 2.0**53


def read_request(route: Route, body: bytes, *, max_depth: int = MAX_DEPTH) -> InferenceRequest:
    """The request that a route and body make. Raises MalformedRequest naming the field at fault."""
    operation = route.operation
    if operation in STORED_RESPONSE:
        return InferenceRequest(route, model="", body=body, stream=_streams_again(route))
    fields = parse_object(body, max_depth=max_depth)
    is_usual = _refuse_spellings(fields)
    chat = plain_chat(fields) if operation is _CHAT and is_usual else None
    return _read(route, body, fields) if chat is None else _of_chat(route, body, chat)


def _of_chat(route: Route, body: bytes, chat: PlainChat) -> InferenceRequest:
    options = chat.stream_options
    return InferenceRequest(
        route,
        model=route.model or chat.model,
        body=body,
        stream=chat.stream is True,
        wants_usage=options is not None and options.include_usage is True,
        output_cap=chat.output_cap(),
        choices=max(chat.n, chat.best_of),
        cache_key=cache_key(_CHAT, body, chat.prompt_cache_key),
    )


def _read(route: Route, body: bytes, fields: dict[str, Any]) -> InferenceRequest:
    """Field by field."""
    operation = route.operation
    is_response = operation is _RESPONSES
    return InferenceRequest(
        route,
        model=route.model or _model(fields),
        body=body,
        stream="stream" in fields and _boolean(fields, "stream"),
        wants_usage="stream_options" in fields and _wants_usage(fields),
        output_cap=_output_cap(operation, fields),
        choices=_choices(fields) if "n" in fields or "best_of" in fields else 1,
        prompts=_prompts(fields.get("prompt")) if operation is _COMPLETIONS else 1,
        previous_response_id=_previous_response(fields) if is_response else None,
        references=references_of(operation, fields),
        cache_key=cache_key(operation, body, fields.get("prompt_cache_key")),
        stores=is_response and fields.get("store") is not False,
        background=is_response and bool(fields.get("background")),
    )


def body_for(request: InferenceRequest, model: str | None) -> bytes:
    """The body to send: `model` named as the deployment calls it, the usage frame asked for.

    `model` is None where the deployment's URL names it. Unchanged bodies are the caller's bytes.
    """
    body = request.body
    if model is not None and (model != request.model or request.route.model is not None):
        body = _with_model(request, msgspec.json.encode(model))
    if request.stream and request.adds_usage:
        body = with_usage_asked_for(body) or _with_usage(body)
    return body


def _with_model(request: InferenceRequest, value: bytes) -> bytes:
    """A body whose URL named the model need not have it."""
    body = request.body
    spliced = with_model(body, value) if request.route.model is None else None
    return spliced or replace_members(body, {"model": value})


def _with_usage(body: bytes) -> bytes:
    """The caller's stream options with `include_usage` set; null counts as none given."""
    options = members_of(body).get("stream_options", b"null")
    own = b"{}" if options == b"null" else options
    asked = replace_members(own, {"include_usage": b"true"})
    return replace_members(body, {"stream_options": asked})


def _refuse_spellings(fields: dict[str, Any]) -> bool:
    """A reader that does not mind case would take another model than we do.

    Whether all names are spelled as usual.
    """
    names = "".join(fields)
    if names.isascii() and names.islower():
        return True
    for name in fields:
        meant = name.casefold()
        if meant != name and meant in _DECIDING:
            raise _invalid(shown(name), f"this parameter is spelt '{meant}'")
    return False


def _model(fields: dict[str, Any]) -> str:
    model = fields.get("model")
    if model is None:
        raise _invalid("model", "you must provide a model", code="missing_required_parameter")
    if not isinstance(model, str) or not model or len(model) > _MAX_NAME:
        raise _invalid("model", f"it must be a string of 1 to {_MAX_NAME} characters")
    return model


def _boolean(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _invalid(name, "it must be true or false")
    return bool(value)


def _positive(fields: dict[str, Any], name: str) -> int | None:
    """A count, where one is given. What is no count the upstream refuses, in its own words."""
    value = fields.get(name)
    if type(value) is int:
        return value if value > 0 else None
    if isinstance(value, float) and value.is_integer() and value <= _MOST_WHOLE:
        # 5000.0 is a whole number to JSON Schema, and to readers that go by it
        return int(value) if value > 0 else None
    return None


def _output_cap(operation: Operation, fields: dict[str, Any]) -> int | None:
    own, is_own, largest = _OWN_CAPS.get(operation, frozenset()), False, 0
    for name in _OUTPUT_CAPS:
        if name in fields and (cap := _positive(fields, name)) is not None:
            largest = max(largest, cap)
            is_own = is_own or name in own
    return largest if is_own else None


def _choices(fields: dict[str, Any]) -> int:
    return max(_positive(fields, "n") or 1, _positive(fields, "best_of") or 1)


def _prompts(prompt: object) -> int:
    """How many are completed: one for each text or list of tokens; tokens alone are one prompt."""
    if not isinstance(prompt, list) or not prompt or isinstance(prompt[0], int):
        return 1
    return len(prompt)


def _wants_usage(fields: dict[str, Any]) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise _invalid("stream_options", "it must be an object")
    return options.get("include_usage") is True


def _previous_response(fields: dict[str, Any]) -> str | None:
    value = fields.get("previous_response_id")
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > 2 * _MAX_NAME:
        raise _invalid("previous_response_id", "it must be the id of a response")
    return value


def _streams_again(route: Route) -> bool:
    """Whether a retrieve asks for the stored response as a stream."""
    return parse_qs(route.query).get("stream") == ["true"]


def _invalid(name: str, what: str, *, code: str = "invalid_value") -> MalformedRequest:
    return MalformedRequest(f"Invalid '{name}': {what}.", code=code, param=name)
