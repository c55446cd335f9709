"""Makes values that are valid for simple JSON Schemas."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

from app.simulator.words import phrase

_MAX_DEPTH: Final = 12
_FORMATS: Final = {
    "date": "2026-11-21",
    "date-time": "2026-11-21T09:30:00Z",
    "time": "09:30:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
}

Schema = Mapping[str, Any]


def value_for(schema: Schema, rng: Random) -> Any:
    """A value that `schema` accepts, all properties given; patterns are not looked at."""
    return _Maker(schema, rng).make(schema, 0)


class _Maker:
    def __init__(self, root: Schema, rng: Random) -> None:
        self._root = root
        self._rng = rng

    def make(self, schema: Schema, depth: int) -> Any:
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._rng.choice(schema["enum"])
        match _type_of(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                return self._string(schema)
            case other:
                return self._scalar(other, schema)

    def _resolved(self, schema: Schema) -> Schema:
        for _ in range(_MAX_DEPTH):
            if reference := schema.get("$ref"):
                schema = self._find(str(reference))
            elif alternatives := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                schema = alternatives[0]
            else:
                break
        return schema

    def _find(self, reference: str) -> Schema:
        found: Any = self._root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found.get(step, {}) if step else found
        return found if isinstance(found, Mapping) else {}

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        if depth > _MAX_DEPTH:
            return {}
        properties = schema.get("properties", {})
        return {name: self.make(each, depth + 1) for name, each in properties.items()}

    def _array(self, schema: Schema, depth: int) -> list[Any]:
        least = schema.get("minItems", 0)
        length = 0 if depth > _MAX_DEPTH else max(least, min(2, schema.get("maxItems", 2)))
        return [self.make(schema.get("items", {}), depth + 1) for _ in range(length)]

    def _string(self, schema: Schema) -> str:
        if known := _FORMATS.get(str(schema.get("format"))):
            return known
        text = phrase(3, self._rng)
        return text.ljust(schema.get("minLength", 0), "a")[: schema.get("maxLength")]

    def _scalar(self, kind: str, schema: Schema) -> int | float | bool | None:
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        high = schema.get("maximum", schema.get("exclusiveMaximum", low + 101) - 1)
        match kind:
            case "integer":
                return self._rng.randint(int(low), max(int(low), int(high)))
            case "number":
                return round(self._rng.uniform(low, max(low, high)), 2)
            case "boolean":
                return self._rng.random() < 0.5  # noqa: PLR2004 - a fair coin
            case _:
                return None


def _type_of(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind is None:
        kind = "object" if "properties" in schema else "string"
    return str(kind)
