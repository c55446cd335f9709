"""The page of the admin API, made from its own OpenAPI document.

`python -m tests.tools.admin_api_page` writes docs/admin-api.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from fastapi.routing import iter_route_contexts

from app import errors
from app.api.admin.changing import if_match
from app.api.admin.ledger_readers import TooManyReaders
from app.api.admin.roles import PERMISSIONS, Action
from app.api.admin.throttle import TooManyWrongKeys
from app.domain.identity.directory import Role
from app.settings.docstrings import field_docstrings
from app.settings.json_schema import in_file_words, sections
from tests.fakes.admin import AdminHouse
from tests.tools.schema_words import Json, cell, kind, shown

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "admin-api.md"

_PREFIX: Final = "/admin/v1/"
_HEAD: Final = """# The admin API

What the [commands](admin.md) speak to, for programs: JSON over HTTP on the admin listener, below
`/admin/v1`. `GET /admin/v1/openapi.json` has the same as an OpenAPI document.

```sh
curl -s -H "Authorization: Bearer $SPILLGATE_ADMIN_KEY" $SPILLGATE_ADMIN_URL/admin/v1/tenants
```

- **Keys.** `Authorization: Bearer KEY` with the config's `admin.key`, or the key of an
  administrator. Each route names the permission that it needs, and [the
  roles](admin.md#the-admin-api-itself) that have it. A tenant-admin sees its own tenant alone: any
  other is a 404.
- **Lists** come in parts. `next` of an answer, sent as `cursor`, asks for the part after it; null
  is the end.
- **Changes** of entries answer with `data`, what it is now, and `in_force`: how many workers have
  it already. A field that a `PATCH` does not send stays as it is.
- **Versions.** Reading one entry gives its `ETag`. Where a route takes `If-Match`, that version is
  changed or none: 412 says that somebody was first.
- **Unknown fields** of bodies and queries are refused. A body has 1 MiB at most.
- **Times** are Unix seconds in answers; in bodies also ISO 8601 with a zone. Money in `nano_usd`
  is in billionths of a US dollar.
- **Ids.** Each answer has an `x-request-id`, yours if you sent one; the audit log has it, too.

This page is made from the code by `python -m tests.tools.admin_api_page`.

## Errors

Every refusal is OpenAI's error object: `{"error": {"message", "type", "param", "code"}}`. `param`
is the field at fault, where there is one.

| status | `code` | when |
|---|---|---|
"""
#: Every refusal of this API.
REFUSALS: Final[tuple[type[errors.SpillgateError], ...]] = (
    errors.MalformedRequest,
    errors.InvalidApiKey,
    errors.NotAllowed,
    errors.UnknownEntry,
    errors.UnknownRoute,
    errors.MethodNotAllowed,
    errors.AlreadyMapped,
    errors.VersionConflict,
    errors.BodyTooLarge,
    TooManyReaders,
    TooManyWrongKeys,
    errors.SpillgateError,
    errors.StoreUnavailable,
)
#: Where this API means something else by it than the data plane.
_SAID: Final = {
    "internal_error": "A defect of the gateway; its log has the request's id.",
    "invalid_request": "A field, a query or a header is not what the route takes.",
    "not_found": "There is nothing of that name, or nothing that this role may know of.",
    "request_too_large": "The body has more than 1 MiB.",
    "store_unavailable": "Redis does not answer.",
}
_FIELDS: Final = "| field | what it is | default | what it says |\n|---|---|---|---|"
_WRAPPED: Final = re.compile(r"(?:Item|Page|Changed)\[")


def page() -> str:
    """The whole page."""
    document = AdminHouse().app().openapi()
    return _HEAD + "\n".join([*_refusals(), "", *_Page(document).lines()]) + "\n"


def _refusals() -> Iterator[str]:
    for each in REFUSALS:
        said = _SAID.get(each.code) or (each.__doc__ or "").split("\n")[0]
        yield f"| {each.status} | `{each.code}` | {cell(said)} |"


class _Page:
    """One document as text: routes by what they are about, then the shapes that they name."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._shapes: Json = document["components"]["schemas"]
        self._versioned = set(_versioned())

    def lines(self) -> Iterator[str]:
        """All of it."""
        about = ""
        for path, method, operation in sorted(self._operations(), key=lambda each: _about(each[0])):
            if _about(path) != about:
                about = _about(path)
                yield f"## {about}\n"
            yield from self._route(path, method, operation)
        yield "## Shapes\n\nWhat bodies and answers are made of.\n"
        for name, shape in sorted(self._shapes.items()):
            if "enum" not in shape and not _WRAPPED.match(shape["title"]):
                yield from self._table(f"### {name}", shape)

    def _operations(self) -> Iterator[tuple[str, str, Any]]:
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                yield path, method.upper(), operation

    def _route(self, path: str, method: str, operation: Json) -> Iterator[str]:
        action = Action(operation["x-permission"])
        roles = ", ".join(role.value for role in Role if action in PERMISSIONS[role])
        takes = " Takes `If-Match`." if (method, path) in self._versioned else ""
        yield f"### {method} {path}\n"
        yield f"{operation['description']}\n"
        yield f"`{action.value}`: {roles}.{takes}\n"
        query = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        if query:
            yield "| query | what it is | default | what it says |\n|---|---|---|---|"
            yield from (self._row(each["name"], each["schema"], needed=False) for each in query)
            yield ""
        if "requestBody" in operation:
            yield f"Body: {self._kind(_content(operation['requestBody']))}.\n"
        status, answer = next(iter(operation["responses"].items()))
        yield f"Answer {status}: {self._answer(_content(answer))}.\n"

    def _answer(self, schema: Json) -> str:
        """What an answer is; of what all answers of a kind have, the part that differs."""
        shape = self._shapes.get(str(schema.get("$ref", "")).rsplit("/", 1)[-1], {})
        if not _WRAPPED.match(shape.get("title", "")):
            return self._kind(schema)
        inner = f"`data`, {self._kind(shape['properties']['data'])}"
        others = [f"`{key}`" for key in shape["properties"] if key != "data"]
        return " and ".join([inner, *others])

    def _table(self, heading: str, shape: Json) -> Iterator[str]:
        yield f"{heading}\n"
        if said := " ".join(str(shape.get("description", "")).split()):
            yield f"{said}\n"
        yield _FIELDS
        required = shape.get("required", ())
        # What is not sent stays as it is, whatever else is the default.
        is_change = shape["title"].endswith("Change")
        told = _docstrings(shape["title"])
        for name, value in shape.get("properties", {}).items():
            needed = name in required and shape.get("additionalProperties") is False
            own = {key: each for key, each in value.items() if key != "default" or not is_change}
            yield self._row(name, {"description": told.get(name, ""), **own}, needed=needed)
        yield ""

    def _row(self, name: str, value: Json, *, needed: bool) -> str:
        default = "*needed*" if needed else shown(value.get("default"))
        said = cell(value.get("description", ""))
        return f"| `{name}` | {self._kind(value)} | {default} | {said} |"

    def _kind(self, value: Json) -> str:
        return kind(value, self._named)

    def _named(self, name: str) -> str:
        shape = self._shapes[name]
        return kind(shape, self._named) if "enum" in shape else f"[{name}](#{name.lower()})"


def _docstrings(title: str) -> dict[str, str]:
    """Of shapes that stand in the configuration, too: by field what is said of it there."""
    section = {each.__name__: each for each in sections()}.get(title)
    told = field_docstrings(section) if section else {}
    return {name: in_file_words(text) for name, text in told.items()}


def _about(path: str) -> str:
    return path.removeprefix(_PREFIX).split("/")[0]


def _content(answer: Json) -> Json:
    schema: Json = answer["content"]["application/json"]["schema"]
    return schema


def _versioned() -> Iterator[tuple[str, str]]:
    """Routes that take `If-Match`, which OpenAPI is not told of."""
    for route in iter_route_contexts(AdminHouse().app().routes):
        dependant: Any = getattr(route, "dependant", None)
        if dependant and any(each.call is if_match for each in dependant.dependencies):
            yield from ((method, str(route.path)) for method in route.methods or ())


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
