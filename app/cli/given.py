"""What is given on the command line, read: periods, moments, tags, lists; mistakes exit with 2."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Final

import typer

from app.domain.ledger.usage_query import DIMENSIONS, TAG
from app.domain.quota.limit import RULE_NAMES, LimitName

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION: Final = re.compile(r"(\d+)([smhdw])")
_DURATION_SAYS: Final = "a number and s, m, h, d or w, such as 90m or 7d"


def seconds(given: str) -> int:
    """The length of `90m` or `7d`."""
    found = _DURATION.fullmatch(given.strip())
    if found is None:
        raise typer.BadParameter(f"{given!r} is no duration: {_DURATION_SAYS}")
    return int(found[1]) * _UNITS[found[2]]


def moment_before(given: str, now: float, zone: tzinfo | None) -> float:
    """Unix seconds of a date or a time, in `zone` unless it names its own, or so long ago."""
    if _DURATION.fullmatch(given.strip()):
        return now - seconds(given)
    return _moment(given, zone)


def moment_after(given: str, now: float, zone: tzinfo | None) -> float:
    """The same, a duration being counted from now on."""
    if _DURATION.fullmatch(given.strip()):
        return now + seconds(given)
    return _moment(given, zone)


def names(given: str) -> list[str]:
    """`a,b` as a list."""
    found = [name.strip() for name in given.split(",")]
    if not all(found):
        raise typer.BadParameter(f"{given!r} is no list of names such as gpt-4o,gpt-4o-mini")
    return found


def tags(given: Iterable[str]) -> dict[str, str]:
    """`name=value`, each once."""
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"{each!r} is no tag: write it as name=value")
        found[name] = value
    return found


def filters(given: Iterable[str], named: Mapping[str, str | None]) -> dict[str, str | list[str]]:
    """What rows of the ledger must have: `status=429`, `tag:team=a`, and what options named.

    As parameters of the admin API. Tags can be repeated, anything else is given once.
    """
    found: dict[str, str | list[str]] = {name: of for name, of in named.items() if of is not None}
    wanted_tags: list[str] = []
    for each in given:
        name, equals, value = each.partition("=")
        if name.startswith(TAG) and name != TAG and equals:
            wanted_tags.append(each.removeprefix(TAG))
        elif not (equals and name in DIMENSIONS):
            known = ", ".join(DIMENSIONS)
            raise typer.BadParameter(f"{each!r} is no NAME=VALUE; names are {known}, {TAG}NAME")
        elif name in found:
            raise typer.BadParameter(f"{name} is given twice")
        else:
            found[name] = value
    return found | ({"tag": wanted_tags} if wanted_tags else {})


def amount(limit: LimitName, given: str) -> float:
    """An amount of a limit: requests or tokens as `600` or `200_000`, dollars as `99.50`."""
    try:
        found = float(given.removeprefix("$").replace(",", ""))
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise typer.BadParameter(f"{given!r} is no amount for {limit}: a number from 0 on")
    return int(found) if found.is_integer() else found


def rule(given: str) -> dict[str, object]:
    """`rpm=600` as a limit on the whole tenant."""
    name, _, value = given.partition("=")
    known = [limit.value for limit in RULE_NAMES]
    if name not in known or not value:
        raise typer.BadParameter(f"{given!r} is no limit: NAME=AMOUNT, NAME one of {known}")
    return {"name": name, "amount": amount(LimitName(name), value)}


def _moment(given: str, zone: tzinfo | None) -> float:
    try:
        found = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter(
            f"{given!r} is no time: a date, a time as 2026-11-01T09:00, or {_DURATION_SAYS}"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone) if zone else found.astimezone()
    return found.astimezone(UTC).timestamp()
