"""A validator of JSON Schema: the keywords that the configuration's schema uses, and no others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_IS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: _IS["number"](value) and value == int(value),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
#: By keyword: of which type it speaks, and whether a value of that type satisfies it.
_BOUNDS: Final[Mapping[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "minimum": ("number", lambda value, least: value >= least),
    "exclusiveMinimum": ("number", lambda value, below: value > below),
    "maximum": ("number", lambda value, most: value <= most),
    "minLength": ("string", lambda value, least: len(value) >= least),
    "maxLength": ("string", lambda value, most: len(value) <= most),
    "exclusiveMaximum": ("number", lambda value, above: value < above),
    "pattern": ("string", lambda value, form: re.search(form, value) is not None),
    "minItems": ("array", lambda value, least: len(value) >= least),
    "maxItems": ("array", lambda value, most: len(value) <= most),
    "minProperties": ("object", lambda value, least: len(value) >= least),
    "maxProperties": ("object", lambda value, most: len(value) <= most),
    "required": ("object", lambda value, keys: all(key in value for key in keys)),
}
_BELOW: Final = {"items", "properties", "patternProperties", "additionalProperties"}
_ELSEWHERE: Final = {"$schema", "$defs", "title", "description", "default", "then", *_BELOW}


class Validator:
    """Validates against one schema; KeyError for a keyword that is not known here."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def faults(self, value: Any, schema: Any = None, path: str = "") -> list[str]:
        """Paths of what is wrong, each with the keyword that refuses it."""
        if schema is False:
            return [f"{path}: unknown"]
        given = self._root if schema is None else schema
        own = [key for key in given if key not in _ELSEWHERE and not self._fits(key, value, given)]
        below = [self.faults(value[key], each, f"{path}.{key}") for key, each in _of(value, given)]
        return [
            *(f"{path}: {keyword}" for keyword in own),
            *(each for some in below for each in some),
        ]

    def _fits(self, keyword: str, value: Any, schema: Any) -> bool:
        said = schema[keyword]
        if keyword in _BOUNDS:
            kind, satisfies = _BOUNDS[keyword]
            return not _IS[kind](value) or satisfies(value, said)
        verdicts: Mapping[str, Callable[[], bool]] = {
            "$ref": lambda: not self.faults(value, self._root["$defs"][said.rsplit("/", 1)[1]]),
            "type": lambda: any(fits(value) for kind, fits in _IS.items() if kind in said),
            "enum": lambda: value in said,
            "not": lambda: bool(self.faults(value, said)),
            "anyOf": lambda: any(not self.faults(value, each) for each in said),
            "allOf": lambda: not any(self.faults(value, each) for each in said),
            "if": lambda: bool(self.faults(value, said)) or not self.faults(value, schema["then"]),
        }
        return verdicts[keyword]()


def _of(value: Any, schema: Any) -> Iterator[tuple[Any, Any]]:
    """What is in a list or a mapping, each with its schema."""
    for index in range(len(value) if isinstance(value, list) and "items" in schema else 0):
        yield index, schema["items"]
    for key in value if isinstance(value, dict) else ():
        known = [schema["properties"][key]] if key in schema.get("properties", ()) else []
        forms = schema.get("patternProperties", {})
        known += [each for form, each in forms.items() if re.search(form, key)]
        yield from ((key, each) for each in known or [schema.get("additionalProperties", {})])
