"""`spillgate explain`: why one request went where it went, on a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import typer

from app.cli import shown
from app.cli.client import path_to
from app.cli.output import Column, Record
from app.cli.session import Json, Session, session

_RequestId = Annotated[
    str, typer.Argument(metavar="REQUEST_ID", help="As `x-request-id` of its answer says.")
]
_Tenant = Annotated[
    str | None, typer.Option("--tenant", help="Whose it was, where two chose the same id.")
]
_TIER: Final = Column("TIER", lambda each: shown.count(each["tier"] + 1), right=True)
_NAME: Final = Column("DEPLOYMENT", lambda each: shown.text(each["deployment"]))
_PREDICTED: Final = Column(
    "PREDICTED", lambda each: shown.percent(each["predicted_utilization"]), right=True
)
_CANDIDATES: Final = (
    _NAME,
    _TIER,
    _PREDICTED,
    Column("WEIGHT", lambda each: shown.count(each["weight"]), right=True),
    Column("WAIT", lambda each: shown.seconds(each["expected_wait_s"]), right=True),
    Column("CACHE", lambda each: "warm" if each["is_warm"] else shown.NONE),
)
_SKIPPED: Final = (
    _NAME,
    _TIER,
    Column("REASON", lambda each: shown.text(each["reason"])),
    Column("FOR", lambda each: shown.seconds(each["wait_s"], none="good"), right=True),
    _PREDICTED,
)
_ATTEMPTS: Final = (
    _NAME,
    _TIER,
    Column("AFTER", lambda each: shown.seconds(each["began_s"]), right=True),
    Column("TOOK", lambda each: shown.seconds(each["took_s"]), right=True),
    Column("STATUS", lambda each: shown.text(each["status"])),
    Column("CAME", lambda each: shown.text(each["verdict"])),
    Column("RETRY AFTER", lambda each: shown.seconds(each["retry_after_s"]), right=True),
    Column("TOLD", lambda each: shown.percent(each["actual_utilization"]), right=True),
)
_LIMITS: Final = (
    Column("LIMIT", lambda limit: shown.text(limit["name"])),
    Column("SCOPE", lambda limit: shown.text(limit["scope"])),
    Column("MODE", lambda limit: shown.text(limit["mode"])),
    Column("AMOUNT", lambda limit: _amount(limit, "amount"), right=True),
    Column("LEFT", lambda limit: _amount(limit, "left"), right=True),
)
#: Lists of an explanation, with the heading and the columns of each.
_LISTS: Final[Sequence[tuple[str, str, Sequence[Column]]]] = (
    ("candidates", "Candidates, in the order to be asked", _CANDIDATES),
    ("skipped", "Skipped", _SKIPPED),
    ("attempts", "Asked", _ATTEMPTS),
)


def explain(
    ctx: typer.Context, request_id: _RequestId, *, tenant: _Tenant = None, as_json: Json = False
) -> None:
    """Say why a request went where it went: who was asked, who was not, what it took and cost."""
    with session(ctx, as_json=as_json) as work:
        parameters = {} if tenant is None else {"tenant": tenant}
        answer = work.client.get(path_to("explain", request_id), parameters)
        if as_json:
            work.output.json(answer)
        else:
            _print(work, answer["data"])


def _print(work: Session, found: Record) -> None:
    work.output.lines(_heading(work, found))
    work.output.lines(["", *map(shown.text, found["why"])])
    for name, title, columns in _LISTS:
        _print_list(work, title, columns, found[name])
    reserved = found["reserved"] or {}
    _print_list(work, "Limits", _LIMITS, reserved.get("limits", ()))


def _heading(work: Session, found: Record) -> Iterator[str]:
    """Who asked for what, and when."""
    what = " ".join(shown.text(found[part]) for part in ("operation", "model") if found[part])
    stream = ", streamed" if found["stream"] else ""
    yield f"{shown.text(found['request_id'])}  {work.moment(found['at'])}"
    yield f"{shown.text(found['tenant'])}, key {shown.text(found['key_id'])}: {what}{stream}"


def _print_list(
    work: Session, title: str, columns: Sequence[Column], records: Sequence[Any]
) -> None:
    """The table, and below it the sentence of each record that has one."""
    if not records:
        return
    work.output.lines(["", f"{title}:"])
    work.output.table(columns, records)
    work.output.lines(f"  {shown.text(each['why'])}" for each in records if "why" in each)


def _amount(limit: Record, part: str) -> str:
    """Dollars are kept in billionths."""
    value = limit[part]
    if value is not None and limit["name"].startswith("usd_"):
        return shown.dollars(value)
    return shown.count(value)
