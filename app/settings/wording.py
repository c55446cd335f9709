"""Pydantic's complaints in the operator's words.

No message repeats the value it is about: the value may be a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from app.settings.fault import Fault, Path, suggestion
from app.settings.pricing import PERIODS_FORM
from app.settings.schema import at, fields
from app.settings.section import NAME_PATTERN, PARAMETER_PATTERN
from app.settings.tenancy import SPILL_FORMS

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Context = Mapping[str, Any]

_NAME_RULE: Final = (
    "must be a name: letters, digits, '.', '_' and '-', beginning with a letter or digit, "
    "at most 63 characters"
)


def fault_of(error: ErrorDetails, root: object) -> Fault:
    """One complaint of pydantic as a fault; `root` is the model that complained."""
    kind = error["type"]
    path, at_key = _path(error["loc"], kind)
    if kind == "extra_forbidden":
        known = fields(at(root, path[:-1]))
        return Fault(path, f"unknown key{suggestion(path[-1], known)}", at_key=True)
    if kind == "literal_error":
        options = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        hint = suggestion(error["input"], options)
        return Fault(path, f"must be {_either(options)}{hint}", at_key)
    return Fault(path, _message(kind, error.get("ctx", {})), at_key)


def _path(loc: Path, kind: str) -> tuple[Path, bool]:
    """Pydantic's location without what it adds to a path, and whether the key is at fault.

    It adds the form of a spill policy and of prices, and `[key]` where a key is no name.
    """
    is_spill = loc[:1] == ("tenants",) and loc[2:3] == ("spill",)
    is_price = loc[:1] == ("prices",) and loc[3:4] in {("one",), ("list",)}
    if is_spill or is_price:
        loc = (*loc[:3], *loc[4:])
    at_key = loc[-1:] == ("[key]",) and kind.startswith(("string_", "value_error"))
    return (loc[:-1], True) if at_key else (loc, False)


def _message(kind: str, context: Context) -> str:
    for start, message in _MESSAGES:
        if kind.startswith(start):
            return message if isinstance(message, str) else message(context)
    return "is not valid"


def _either(options: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(options[:-1]), options[-1]]))


def _pattern(context: Context) -> str:
    if context.get("pattern") == NAME_PATTERN:
        return _NAME_RULE
    if context.get("pattern") == PARAMETER_PATTERN:
        return "must be a parameter of a request's body, such as temperature"
    return "must be one line of text without control characters"


def _too_short(context: Context) -> str:
    least = context.get("min_length", 1)
    return "must not be empty" if least == 1 else f"must have at least {least} characters"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


_MESSAGES: Final[tuple[tuple[str, str | Callable[[Context], str]], ...]] = (
    ("value_error", lambda context: str(context.get("error", "is not valid"))),
    ("spill_form", SPILL_FORMS),
    ("price_periods", PERIODS_FORM),
    ("policy_pattern", lambda context: str(context["fault"])),
    ("missing", "is missing"),
    ("string_too_short", _too_short),
    ("string_too_long", lambda context: f"must have at most {context['max_length']} characters"),
    ("string_pattern", _pattern),
    ("string", "must be text (put it in quotes)"),
    ("int_from_float", "must be a whole number"),
    ("int", "must be a whole number"),
    ("float", "must be a number"),
    ("finite", "must be a finite number"),
    ("bool", "must be true or false"),
    ("greater_than_equal", lambda context: f"must be at least {_number(context['ge'])}"),
    ("greater_than", lambda context: f"must be above {_number(context['gt'])}"),
    ("less_than_equal", lambda context: f"must be at most {_number(context['le'])}"),
    ("too_short", "must not be empty"),
    ("too_long", lambda context: f"must have at most {context['max_length']} entries"),
    ("model", "must be a mapping"),
    ("dict", "must be a mapping"),
    ("tuple", "must be a list"),
    ("list", "must be a list"),
)
