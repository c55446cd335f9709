"""Whether two results are the same, and which differences are none; all exceptions are here.

What differs between any two calls is replaced, not dropped: an id by its place among the ids of the
result, so that a chunk with another id than its stream's still shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Fields that differ between any two calls, with the reason.
VOLATILE: Final[Mapping[str, str]] = {
    "id": "made for each answer, item and tool call",
    "item_id": "names an item's id",
    "call_id": "names a tool call's id",
    "previous_response_id": "names a response's id",
    "created": "the time of the call",
    "created_at": "the time of the call",
    "completed_at": "the time of the call",
    "obfuscation": "random padding that hides lengths",
}


@dataclass(frozen=True, slots=True)
class Declared:
    """A difference that is meant: in these operations and upstreams, these fields of an error."""

    operations: str
    """A regular expression; all of the name must match."""
    upstreams: frozenset[str]
    fields: frozenset[str]
    reason: str

    def covers(self, operation: str, upstream: str, path: str) -> bool:
        return (
            re.fullmatch(self.operations, operation) is not None
            and upstream in self.upstreams
            and path.rpartition(".")[2] in self.fields
        )


_AZURE: Final = frozenset({"v1", "classic"})
_WORDS: Final = frozenset({"code", "type", "param", "message"})
_EVERY: Final = _AZURE | {"openai"}

#: An entry that a whole run does not need is a mistake, so that none outlives its cause.
DECLARED: Final = (
    Declared(
        r"errors\.(wrong_key|unknown_model)\..*",
        _AZURE,
        _WORDS,
        "The gateway knows its own keys and models, and refuses as OpenAI does: `invalid_api_key` "
        "and `model_not_found` where Azure has `401` and `DeploymentNotFound`.",
    ),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One operation by one class on one upstream, and how the two sides differ, if they do."""

    sdk: str
    client: str
    kind: str
    upstream: str
    operation: str
    difference: str | None
    """The first one; None where both sides are the same."""
    declared: tuple[str, ...] = ()
    """Reasons of the differences that are meant."""

    @property
    def title(self) -> str:
        """What was compared."""
        prefix = "Async" if self.kind == "async" else ""
        return f"{self.sdk} {prefix}{self.client} on {self.upstream}: {self.operation}"


def cell_of(sdk: str, result: Mapping[str, Any]) -> Cell:
    """Judge one result of a driver."""
    fault = _fault(result)
    difference, declared = (fault, ()) if fault else _differences(result)
    return Cell(
        sdk,
        client=result["client"],
        kind=result["kind"],
        upstream=result["upstream"],
        operation=result["operation"],
        difference=difference,
        declared=declared,
    )


def unused(cells: Iterable[Cell]) -> list[str]:
    """Reasons of declared differences that none of the cells had."""
    used = {reason for cell in cells for reason in cell.declared}
    return [declared.reason for declared in DECLARED if declared.reason not in used]


def normalised(value: Any) -> Any:
    """A result with what is volatile replaced."""
    return _Normaliser().normalised(value, "")


def differences(gateway: Any, direct: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two normalised results differ: the path, and both values."""
    if isinstance(gateway, dict) and isinstance(direct, dict):
        for key in sorted(gateway.keys() | direct.keys()):
            here = gateway.get(key, "(absent)"), direct.get(key, "(absent)")
            yield from differences(*here, f"{path}.{key}")
    elif isinstance(gateway, list) and isinstance(direct, list):
        if len(gateway) != len(direct):
            yield f"{path}.length", len(gateway), len(direct)
        for index, (left, right) in enumerate(zip(gateway, direct, strict=False)):
            yield from differences(left, right, f"{path}[{index}]")
    elif type(gateway) is not type(direct) or gateway != direct:
        yield path, gateway, direct


def _fault(result: Mapping[str, Any]) -> str | None:
    """What is wrong whatever the other side got, so that equal failures do not pass."""
    refused = str(result["operation"]).startswith("errors.")
    for side in ("gateway", "direct"):
        if found := _fault_of(result[side], refused=refused):
            return f"{side}: {found}"
    return None


def _fault_of(got: Any, *, refused: bool) -> str | None:
    failed = isinstance(got, dict) and got.get("error") is not None
    if isinstance(got, dict) and "crash" in got:
        return f"the SDK raised {got['error']}: {got['crash']}"
    if failed != refused:
        return _short(got) if failed else "no error was raised"
    return "no x-request-id" if _lacks_request_id(got) else None


def _lacks_request_id(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("has_request_id") is False or any(map(_lacks_request_id, value.values()))
    return isinstance(value, list) and any(map(_lacks_request_id, value))


def _differences(result: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """The first difference that is not meant, and the reasons of those that are."""
    gateway, direct = normalised(result["gateway"]), normalised(result["direct"])
    first, reasons = None, dict[str, None]()
    for path, left, right in differences(gateway, direct):
        reason = _reason(str(result["operation"]), str(result["upstream"]), path)
        if reason is not None:
            reasons[reason] = None
        elif first is None:
            first = f"{path or 'all'}: gateway {_short(left)}, direct {_short(right)}"
    return first, tuple(reasons)


def _reason(operation: str, upstream: str, path: str) -> str | None:
    found = (each.reason for each in DECLARED if each.covers(operation, upstream, path))
    return next(found, None)


_ID_IN_TEXT: Final = re.compile(r"resp_[0-9a-f]{16,}")


class _Normaliser:
    """Numbers the ids of one result in the order in which they come."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def normalised(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            kept = {name: item for name, item in value.items() if not _unasked(name, item, value)}
            return {name: self.normalised(item, name) for name, item in kept.items()}
        if isinstance(value, list):
            return [self.normalised(item, key) for item in value]
        if key == "message" and isinstance(value, str):
            return _ID_IN_TEXT.sub(lambda found: self._replaced("id", found[0]), value)
        return self._replaced(key, value) if key in VOLATILE and value else value

    def _replaced(self, key: str, value: Any) -> Any:
        if not isinstance(value, str) or key == "obfuscation":
            return f"<{key}>"
        return self._ids.setdefault(value, f"<{_prefix(value)}{len(self._ids)}>")


def _unasked(name: str, item: Any, parent: Mapping[str, Any]) -> bool:
    """`usage: null` of a chunk.

    Azure writes it on every chunk of a stream whose usage was asked for, and where the caller did
    not ask, the gateway did. Python's SDK has the field either way; Node's shows what was sent.
    """
    return name == "usage" and item is None and "choices" in parent


def _prefix(value: str) -> str:
    """The kind of an id, as in `chatcmpl-` or `resp_`."""
    found = re.match(r"[a-z]+[-_]", value)
    return found[0] if found else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
