"""What `--policy` says of a tenant's input policy, and how what is said of it is shown.

Names are the configuration's below `policy:`. A pattern is `pattern.NAME=block:REGEX`, and where
only some speakers are meant `pattern.NAME=flag:user,tool:REGEX`. Content Safety is asked by
`content_safety=failure:open,hate:4,prompt_shield:on`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Final, get_args

import typer

from app.cli import shown
from app.cli.output import Column, Record
from app.settings.content_safety import SafetyRules
from app.settings.fault import suggestion
from app.settings.policy import InputPolicyRules, PatternAction, Role

#: In place of a value: what the configuration says.
DEFAULT: Final = "default"

_PATTERN: Final = "pattern."
_ACTIONS: Final = get_args(PatternAction)
_ROLES: Final = frozenset(get_args(Role))
_SWITCHES: Final = {"on": True, "off": False}

Policies = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        help="max_prompt_tokens=8000, forbidden=tools,images, pattern.NAME=block:REGEX and the "
        f"like; {DEFAULT} for what the config says; repeatable.",
    ),
]

COLUMNS: Final = (
    Column("POLICY", lambda part: shown.text(part["name"])),
    Column("RULE", lambda part: shown.text(part["rule"])),
)

#: By name; None unsays. Patterns by `pattern.NAME`.
Changes = dict[str, Any]


def changes(options: Iterable[str]) -> Changes:
    """What options say. Raises BadParameter."""
    found: Changes = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise typer.BadParameter(f"{option!r} is no NAME=VALUE such as max_prompt_tokens=8000")
        if name in found:
            raise typer.BadParameter(f"{name} is given twice")
        found[name] = _read(name, value)
    return found


def changed(kept: Mapping[str, Any], said: Changes) -> dict[str, Any]:
    """What a tenant's policy is after a change; what is unsaid is left out."""
    patterns = dict(kept.get("patterns") or {})
    rest = {name: value for name, value in kept.items() if name != "patterns"}
    for name, value in said.items():
        place, key = (
            (patterns, name.removeprefix(_PATTERN)) if name.startswith(_PATTERN) else (rest, name)
        )
        place.pop(key, None)
        if value is not None:
            place[key] = value
    return {**rest, "patterns": patterns} if patterns else rest


def parts(kept: Mapping[str, Any]) -> Iterator[Record]:
    """A record for each rule."""
    for name, value in kept.items():
        if name != "patterns":
            yield {"name": name, "rule": _word(value)}
    for name, rule in (kept.get("patterns") or {}).items():
        roles = f"{','.join(rule['roles'])}:" if rule.get("roles") else ""
        yield {"name": f"{_PATTERN}{name}", "rule": f"{rule['action']}:{roles}{rule['pattern']}"}


def _read(name: str, value: str) -> Any:
    if value == DEFAULT:
        return None
    if name.startswith(_PATTERN):
        return _pattern(name, value)
    if name not in _READ:
        hint = suggestion(name, _READ)
        raise typer.BadParameter(f"{name!r} is nothing that a policy says{hint}")
    return _READ[name](name, value)


def _pattern(name: str, value: str) -> dict[str, Any]:
    action, colon, rest = value.partition(":")
    if not colon or action not in _ACTIONS:
        raise typer.BadParameter(f"{name}: must begin with {', '.join(_ACTIONS)} and a ':'")
    roles, colon, pattern = rest.partition(":")
    named = roles.split(",")
    if colon and _ROLES.issuperset(named):
        return {"pattern": pattern, "action": action, "roles": named}
    return {"pattern": rest, "action": action}


def _number(name: str, value: str) -> int:
    if not value.isdecimal():
        raise typer.BadParameter(f"{name}: {value!r} is no whole number from 0 on")
    return int(value)


def _switch(name: str, value: str) -> bool:
    if value not in _SWITCHES:
        raise typer.BadParameter(f"{name}: {value!r} is none of {', '.join(_SWITCHES)}")
    return _SWITCHES[value]


def _list(_name: str, value: str) -> list[str]:
    return [each for each in value.split(",") if each]


def _text(_name: str, value: str) -> str:
    return value


def _mapping(name: str, value: str) -> dict[str, Any]:
    """`failure:open,hate:4,prompt_shield:on`, or off."""
    if value == "off":
        return {"enabled": False, "failure": "open"}
    said: dict[str, Any] = {}
    for part in value.split(","):
        key, colon, word = part.partition(":")
        if not colon or key not in SafetyRules.model_fields:
            raise typer.BadParameter(f"{name}: {part!r} is nothing that it says")
        said[key] = _safety_word(word) if key != "roles" else word.split("+")
    return said


def _safety_word(word: str) -> Any:
    return int(word) if word.isdecimal() else _SWITCHES.get(word, word)


_LISTS: Final = frozenset({"forbidden", "forbidden_parameters", "allowed_parameters"})
_OF: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "action": _text,
    "require_output_cap": _switch,
    "content_safety": _mapping,
    **dict.fromkeys(_LISTS, _list),
}
_READ: Final = {
    name: _OF.get(name, _number) for name in InputPolicyRules.model_fields if name != "patterns"
}


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        return ",".join(f"{name}:{_part(each)}" for name, each in value.items())
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)


def _part(value: object) -> str:
    return "+".join(value) if isinstance(value, list) else _word(value)
