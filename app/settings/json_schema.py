"""The configuration as a JSON Schema, for editors: what may stand where, and what it means.

It refuses nothing that `check` accepts, but numbers and booleans that are spelled otherwise ("5" in
quotes). `check` finds more: names that nothing has, secrets that are not set, and other rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from app.settings.docstrings import field_docstrings, section_docstring
from app.settings.model import Settings
from app.settings.schema import GIVEN_BY_KEY
from app.settings.section import Section
from app.settings.tenancy import Model, SpillBudget, Tenant
from app.settings.upstream import Auth, Deployment

Json = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
#: What a variable or a file gives is not known before it is read.
_REFERENCE: Final = r"\$\{"
_REFERENCED: Final = {"$ref": "#/$defs/Reference"}
_DAY: Final = rf"^\d{{4}}-\d{{2}}-\d{{2}}$|{_REFERENCE}"
_NULL: Final = {"type": "null"}
_NOT_EMPTY: Final = {"not": _NULL}
#: Pydantic's words for bounds below a validator of one's own, and JSON Schema's.
_BOUNDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
}
#: A name in Python is no news, a secret is text, and entries' names have a form.
_UNUSED: Final = frozenset({"title", "format", "writeOnly", "propertyNames"})
#: Left empty they would let everywhere in what was to be kept somewhere.
_NEVER_EMPTY: Final[Mapping[type, frozenset[str]]] = {Tenant: frozenset({"data_zones", "regions"})}


def _where(key: str, value: str, needs: str | None = None, forbids: tuple[str, ...] = ()) -> Json:
    """With this value of a key another is needed, and others do not belong there."""
    then: Json = {"properties": dict.fromkeys(forbids, _NULL)}
    if needs is not None:
        then = {"properties": then["properties"] | {needs: _NOT_EMPTY}, "required": [needs]}
    return {"if": {"properties": {key: {"enum": [value]}}, "required": [key]}, "then": then}


def _one_of(*keys: str) -> Json:
    return {"anyOf": [{"required": [key]} for key in keys]}


#: Rules between the keys of one entry.
_BETWEEN: Final[Mapping[type, Json]] = {
    Deployment: {
        "allOf": [
            _where("kind", "ptu", "ptus", ("tpm", "rpm")),
            _where("kind", "paygo", forbids=("ptus",)),
            _where("api", "classic", "api_version"),
            _where("api", "openai", forbids=("api_version",)),
        ]
    },
    Auth: _one_of("entra", "api_key"),
    Model: _one_of("tiers", "alias"),
    SpillBudget: _one_of("usd_per_hour", "usd_per_day"),
}


def config_schema() -> Json:
    """The whole configuration; JSON Schema, draft 2020-12."""
    made = Settings.model_json_schema()
    of = {each.__name__: each for each in sections()}
    given = made.pop("$defs")
    definitions = {name: _section(of[name], each) for name, each in given.items() if name in of}
    definitions["Reference"] = {
        "description": "${NAME} is an environment variable, ${file:PATH} what a file holds.",
        "type": "string",
        "pattern": _REFERENCE,
    }
    whole = _section(Settings, made)
    return {
        "$schema": DIALECT,
        "title": "Spillgate's configuration",
        **whole,
        "$defs": dict(sorted(definitions.items())),
    }


def in_file_words(text: str) -> str:
    """A docstring for readers of the file, which has no None."""
    text = re.sub(r"(^|\. )None\b", r"\1Left out", text)
    return re.sub(r"\bNone\b", "left out", text).replace(" `name` is its key in the file.", "")


def sections(above: type[Section] = Section) -> Iterator[type[Section]]:
    """Every kind of mapping."""
    for each in above.__subclasses__():
        yield each
        yield from sections(each)


def _section(section: type[Section], given: Mapping[str, Any]) -> Json:
    """One mapping, with what its docstrings say, and without what is no key of the file."""
    said = field_docstrings(section)
    names = {field.alias or name: name for name, field in section.model_fields.items()}
    required = _required(section, given)
    fixed = {*required, *_NEVER_EMPTY.get(section, ())}
    return {
        "description": in_file_words(section_docstring(section)),
        "type": "object",
        "properties": {
            key: _property(each, said.get(names[key], ""), may_be_empty=key not in fixed)
            for key, each in given["properties"].items()
            if key != GIVEN_BY_KEY
        },
        **({"required": required} if required else {}),
        "additionalProperties": False,
        **_BETWEEN.get(section, {}),
    }


def _required(section: type[Section], given: Mapping[str, Any]) -> list[str]:
    """A deployment's own name is by default its key."""
    filled_in = {GIVEN_BY_KEY, "deployment"} if section is Deployment else {GIVEN_BY_KEY}
    return [key for key in given.get("required", ()) if key not in filled_in]


def _property(given: Json, said: str, *, may_be_empty: bool) -> Json:
    """What may stand at a key; sections have their defaults in their own keys."""
    value = _value({key: each for key, each in given.items() if key != "default"})
    if may_be_empty:
        value = _or_empty(value)
    default = given.get("default")
    has_default = default not in (None, []) and not isinstance(default, dict)
    return {
        **({"description": in_file_words(said)} if said else {}),
        **value,
        **({"default": default} if has_default else {}),
    }


def _or_empty(value: Json) -> Json:
    """A key that is left empty counts as absent."""
    if "type" in value:
        types = value["type"] if isinstance(value["type"], list) else [value["type"]]
        return {**value, "type": [*types, "null"]}
    return _either([value, dict(_NULL)])


def _value(given: Json) -> Json:
    """One value in standard words, with `${NAME}` wherever a scalar may stand."""
    value = {_BOUNDS.get(key, key): each for key, each in given.items() if key not in _UNUSED}
    if options := value.get("anyOf", value.get("oneOf")):
        return _either([_value(each) for each in options if each != _NULL])
    if "const" in value or "enum" in value:
        return _either([{"enum": value.get("enum", [value.get("const")])}, _REFERENCED])
    return value | _CORRECTIONS.get(value.get("type", ""), _nothing)(value, given.get("format", ""))


def _either(options: list[Json]) -> Json:
    """One option, or any of several; those that are several themselves are among them."""
    if len(options) == 1:
        return options[0]
    return {"anyOf": [each for option in options for each in option.get("anyOf", [option])]}


def _scalar(value: Json, _: str) -> Json:
    return {"type": [value["type"], "string"], "pattern": _REFERENCE}


def _text(value: Json, form: str) -> Json:
    """A day and a name have a form, unless they are referred to."""
    if form == "date":
        return {"pattern": _DAY}
    return {"pattern": f"{value['pattern']}|{_REFERENCE}"} if "pattern" in value else {}


def _list(value: Json, _: str) -> Json:
    return {"items": _value(value["items"])}


def _entries(value: Json, _: str) -> Json:
    """A mapping with free keys; where they have a form, others are mistakes."""
    if "patternProperties" not in value:
        return {"additionalProperties": _value(value["additionalProperties"])}
    entries = {form: _value(each) for form, each in value["patternProperties"].items()}
    return {"patternProperties": entries, "additionalProperties": False}


def _nothing(_: Json, __: str) -> Json:
    return {}


#: By type: what is otherwise in the file than pydantic says.
_CORRECTIONS: Final[Mapping[str, Callable[[Json, str], Json]]] = {
    "integer": _scalar,
    "number": _scalar,
    "boolean": _scalar,
    "string": _text,
    "array": _list,
    "object": _entries,
}
