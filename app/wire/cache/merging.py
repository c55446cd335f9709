"""Pieces of values that come one after the other, put together; or refused, never lost."""

from __future__ import annotations

from typing import Any, Final

from app.wire.cache.unkept import Unkept

Fields = dict[str, Any]

_MEMBER: Final = 4
_AT_ONCE: Final = 128
_SEVERITIES: Final = {"safe": 0, "low": 1, "medium": 2, "high": 3}


class Unfoldable(Exception):
    """The stream does not make a body that can be kept."""

    def __init__(self, reason: Unkept = Unkept.UNFOLDABLE) -> None:
        super().__init__(reason)
        self.reason = reason


class Text:
    """A string in pieces; None until one came, so that null stays null.

    Pieces are joined as they come: as objects they take some twelve times their length.
    """

    __slots__ = ("_joined", "_pieces")

    def __init__(self) -> None:
        self._joined: list[str] = []
        self._pieces: list[str] | None = None

    def add(self, value: object) -> None:
        """Take a piece; null is none. Raises Unfoldable for what is no string."""
        if value is None:
            return
        if not isinstance(value, str):
            raise Unfoldable
        if self._pieces is None:
            self._pieces = []
        self._pieces.append(value)
        if len(self._pieces) == _AT_ONCE:
            self._joined.append("".join(self._pieces))
            self._pieces.clear()

    def whole(self) -> str | None:
        """All of it."""
        return None if self._pieces is None else "".join([*self._joined, *self._pieces])


def weight(value: object) -> int:
    """About how long a value is in JSON, or a little longer; bytes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + _MEMBER + weight(each) for name, each in value.items())
    if isinstance(value, list):
        return sum(_MEMBER + weight(each) for each in value)
    return _MEMBER


def keep_same(fields: Fields, name: str, value: object) -> None:
    """Take a member that all pieces repeat, or that one has. Raises Unfoldable where two differ."""
    known = fields.get(name)
    if known is None:
        fields[name] = value
    elif value is not None and value != known:
        raise Unfoldable


def extend(fields: Fields, name: str, value: object) -> None:
    """Take the next part of a list; null is none. Raises Unfoldable for what is no list."""
    if value is None:
        fields.setdefault(name, None)
        return
    if not isinstance(value, list):
        raise Unfoldable
    known = fields.get(name)
    if known is None:
        fields[name] = list(value)
    else:
        known += value


def merge_filter_results(known: Fields, results: object) -> None:
    """Take Azure's annotations of a piece: of each category, the more severe."""
    if not isinstance(results, dict):
        return
    for name, verdict in results.items():
        if _rank(verdict) >= _rank(known.get(name)):
            known[name] = verdict


def _rank(verdict: object) -> tuple[bool, bool, int]:
    if not isinstance(verdict, dict):
        return (False, False, -1)
    severity = _SEVERITIES.get(str(verdict.get("severity")), 0)
    return (bool(verdict.get("filtered")), bool(verdict.get("detected")), severity)
