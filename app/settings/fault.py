"""Paths within a configuration, and mistakes before their place in the file is known."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

Path = tuple[str | int, ...]

_SHOWABLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Fault(NamedTuple):
    """A mistake at `path`; with `at_key` it is the key itself that is wrong."""

    path: Path
    message: str
    at_key: bool = False


class Unreadable:
    """Stands in the tree for a value that could not be read; its fault is already reported."""


UNREADABLE: Final = Unreadable()


class Resolved(str):
    """Text that came from a variable or a file, and may therefore never stand in a message."""

    __slots__ = ()


def dotted(path: Path) -> str:
    """`deployments.east.auth`, `tenants.a.keys[0]`; what is not formed like a name is `?`.

    A secret that was written where a key belongs must not come out here.
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{showable(part) or '?'}"
    return text.removeprefix(".") or "(document)"


def showable(name: object) -> str | None:
    """`name` if it has the form of a name, so that it may stand in a message."""
    if not isinstance(name, str) or isinstance(name, Resolved):
        return None
    return name if _SHOWABLE.fullmatch(name) else None


def suggestion(wrong: object, known: Iterable[str]) -> str:
    """`; did you mean X?` with the nearest of `known`, or nothing."""
    if not isinstance(wrong, str):
        return ""
    import difflib  # noqa: PLC0415  # of a mistake alone, and kept by every process otherwise

    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(wrong.lower()[:80], by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""
