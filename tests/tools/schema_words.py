"""What a JSON Schema lets a value be, in the words of the reference pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

Json = Mapping[str, Any]

_WORDS: Final = {
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "string": "text",
    "array": "list",
    "object": "mapping",
    "null": "null",
}
#: JSON Schema's words, and pydantic's below a validator of one's own.
_BOUNDS: Final = (
    ("from", "minimum", "ge"),
    ("above", "exclusiveMinimum", "gt"),
    ("to", "maximum", "le"),
    ("below", "exclusiveMaximum", "lt"),
)
#: A row's end, and what would begin a cell.
_ESCAPED: Final = str.maketrans({"|": "\\|", "\n": " "})


def kind(value: Json, named: Callable[[str], str]) -> str:
    """What it may be; `named` says what a reference stands for, empty text leaves it out."""
    if options := value.get("anyOf", value.get("oneOf")):
        kinds = dict.fromkeys(kind(each, named) for each in options)
        return " or ".join(each for each in kinds if each)
    if "enum" in value or "const" in value:
        return " or ".join(f"`{each}`" for each in value.get("enum", [value.get("const")]))
    if "$ref" in value:
        return named(str(value["$ref"]).rsplit("/", 1)[1])
    types = value.get("type", [])
    first = types if isinstance(types, str) else next(iter(types), "")
    items = f", each {kind(value['items'], named)}" if first == "array" else ""
    return _WORDS.get(first, "anything") + items + _bounds(value)


def shown(default: Any) -> str:
    """A default as the file or a body would have it; empty where there is none."""
    if default in (None, "", [], {}):
        return ""
    if isinstance(default, float):
        return f"`{default:g}`"
    return f"`{json.dumps(default).strip(chr(34))}`"


def cell(text: object) -> str:
    """Text as it may stand in a table."""
    return str(text).translate(_ESCAPED)


def _bounds(value: Json) -> str:
    given = [(word, value.get(key, value.get(other))) for word, key, other in _BOUNDS]
    words = [f"{word} {_number(bound)}" for word, bound in given if bound is not None]
    return f", {' '.join(words)}" if words else ""


def _number(bound: float) -> str:
    return f"{int(bound) if bound == int(bound) else bound:,}".replace(",", " ")
