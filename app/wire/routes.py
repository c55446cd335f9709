"""Every method and path that is served, with its operation and accounting policy.

The prefixes are those that OpenAI's and Azure's SDKs send: `/v1`, `/openai/v1`,
`/openai/deployments/{name}`, `/v1/deployments/{name}` (AzureOpenAI with a base_url) and `/openai`
for what has no deployment in its URL. What is not in the table is a 404.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

import msgspec

from app.domain.call.request import Accounting, Operation, Route, shown
from app.errors import MalformedRequest, MethodNotAllowed, UnknownRoute

_BASE = r"/(?:openai/v1|v1|openai)"
_DEPLOYMENT = r"/(?:openai|v1)/deployments/(?P<model>[^/]+)"
_OURS = frozenset({"api-version", "api-key"})
_MAX_FIELDS = 64
_ONLY_VERSION = re.compile(r"api-version=[A-Za-z0-9.-]*")
#: Of a path; a caller's own names may be in it.
_LONGEST_KNOWN = 256
#: OpenAI's operations beside the responses; neither is served, nor is it anybody's id.
_NO_RESPONSE = r"(?!(?:compact|input_tokens)(?:/|\Z))"
_RESPONSE = rf"{_BASE}/responses/{_NO_RESPONSE}(?P<response_id>[A-Za-z0-9_-]{{1,512}})"


class Registration(msgspec.Struct, frozen=True):
    """One served method and path; the whole path must match."""

    operation: Operation
    method: str
    path: re.Pattern[str]
    accounting: Accounting


def _generates(operation: Operation, name: str) -> Registration:
    """A metered POST: by `/v1` and `/openai/v1` with the body's model, or by a deployment's URL."""
    path = re.compile(rf"(?:/(?:openai/)?v1|{_DEPLOYMENT})/{name}")
    return Registration(operation, "POST", path, Accounting.TOKENS)


def _reads(operation: Operation, method: str, path: str) -> Registration:
    return Registration(operation, method, re.compile(path), Accounting.NONE)


REGISTRY = (
    _generates(Operation.CHAT_COMPLETIONS, "chat/completions"),
    _generates(Operation.COMPLETIONS, "completions"),
    _generates(Operation.EMBEDDINGS, "embeddings"),
    Registration(Operation.RESPONSES, "POST", re.compile(rf"{_BASE}/responses"), Accounting.TOKENS),
    _reads(Operation.RETRIEVE_RESPONSE, "GET", _RESPONSE),
    _reads(Operation.DELETE_RESPONSE, "DELETE", _RESPONSE),
    _reads(Operation.CANCEL_RESPONSE, "POST", rf"{_RESPONSE}/cancel"),
    _reads(Operation.LIST_INPUT_ITEMS, "GET", rf"{_RESPONSE}/input_items"),
    _reads(Operation.LIST_MODELS, "GET", rf"{_BASE}/models"),
    _reads(Operation.RETRIEVE_MODEL, "GET", rf"{_BASE}/models/(?P<model>[^/]+)"),
    _reads(Operation.OWN_ACCOUNT, "GET", r"/v1/spillgate/me"),
)


def match(method: str, raw_path: str, query: str) -> Route:
    """The route of a request line; `raw_path` is still percent-encoded.

    Raises UnknownRoute for a path that is not served, MethodNotAllowed for a method that is not,
    MalformedRequest for a query of too many fields.
    """
    if len(raw_path) > _LONGEST_KNOWN or "/responses/" in raw_path:
        route = _looked_up(method, raw_path)
    else:
        route = _known(method, raw_path)
    if not query:
        return route
    forwarded = _forwarded(query)
    return replace(route, query=forwarded) if forwarded else route


def _looked_up(method: str, raw_path: str) -> Route:
    allowed: list[str] = []
    for registration in REGISTRY:
        found = registration.path.fullmatch(raw_path)
        if found is None:
            continue
        if registration.method == method:
            return _route(registration, found)
        allowed.append(registration.method)
    if allowed:
        message = f"Invalid method for URL ({method} {shown(raw_path)}): use {', '.join(allowed)}."
        raise MethodNotAllowed(message)
    message = f"Unknown request URL: {method} {shown(raw_path)}."
    raise UnknownRoute(message)


#: A gateway is asked at few paths, again and again; those with ids of responses are not kept.
_known: Final = lru_cache(maxsize=1024)(_looked_up)


def _route(registration: Registration, found: re.Match[str]) -> Route:
    names = found.groupdict()
    model = names.get("model")
    return Route(
        operation=registration.operation,
        method=registration.method,
        accounting=registration.accounting,
        model=unquote(model) if model else None,
        response_id=names.get("response_id"),
    )


def _forwarded(query: str) -> str:
    """The query without what belongs to our own URL: the version, and keys (Azure allows those)."""
    if _ONLY_VERSION.fullmatch(query):
        return ""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        message = f"The query has more than {_MAX_FIELDS} fields."
        raise MalformedRequest(message) from None
    kept = [(name, value) for name, value in pairs if name.lower() not in _OURS]
    return urlencode(kept)
