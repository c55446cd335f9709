"""`spillgate cache`: kept answers counted, listed, evicted and told to be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from app.cli import shown
from app.cli.client import path_to
from app.cli.output import Column, Record
from app.cli.session import Json, ModelName, Session, TenantName, Yes, confirm, session

#: Characters of a prompt in a table; `--json` has as many as the admin API tells.
_PROMPT: Final = 40

_TOTALS: Final = (
    Column("TENANT", lambda totals: shown.text(totals["tenant"])),
    Column("ANSWERS", lambda totals: shown.count(totals["answers"]), right=True),
    Column("BYTES", lambda totals: shown.count(totals["bytes"]), right=True),
)

_ERRORS: Final = (
    Column("TENANT", lambda error: shown.text(error["tenant"])),
    Column("MODEL", lambda error: shown.text(error["model"])),
    Column("COMPARED", lambda error: shown.count(error["samples"]), right=True),
    Column("WRONG", lambda error: shown.count(error["false_hits"]), right=True),
    Column("UNDECIDED", lambda error: shown.count(error["undecided"]), right=True),
    Column("RATE", lambda error: _rate(error["rate"]), right=True),
    Column("95 %", lambda error: f"{_rate(error['low'])} to {_rate(error['high'])}", right=True),
    Column("THRESHOLD", lambda error: f"{error['threshold']:.2f}", right=True),
    Column("WIDEST", lambda error: f"{error['widest']:.2f}", right=True),
)

_Tenant = Annotated[str | None, typer.Argument(metavar="TENANT", help="One tenant alone.")]
_Request = Annotated[
    str | None, typer.Option("--request", help="What this request got, or its own answer.")
]
_Fingerprint = Annotated[
    str | None, typer.Option("--fingerprint", help="The answer to this question, by its digest.")
]
_Prefix = Annotated[
    str | None, typer.Option("--prompt-prefix", help="Where the last user turn begins so.")
]


def cache_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Answers that the cache keeps.")
    group.command("list")(list_answers)
    group.command("totals")(totals)
    group.command("evict")(evict)
    group.command("errors")(errors)
    group.command("wrong")(wrong)
    return group


def list_answers(ctx: typer.Context, tenant: TenantName, *, as_json: Json = False) -> None:
    """List a tenant's kept answers, those that end last first; never what they say."""
    with session(ctx, as_json=as_json) as work:
        work.list_all(_columns(work), path_to("cache", tenant, "answers"))


def totals(ctx: typer.Context, tenant: _Tenant = None, *, as_json: Json = False) -> None:
    """How many answers are kept of each tenant, or of one, and how large they are."""
    with session(ctx, as_json=as_json) as work:
        if tenant is None:
            work.list_all(_TOTALS, "cache")
            return
        work.changed(_TOTALS, work.client.get(path_to("cache", tenant, "totals")))


def evict(  # noqa: PLR0913  # one parameter for each argument and option
    ctx: typer.Context,
    tenant: TenantName,
    *,
    request: _Request = None,
    fingerprint: _Fingerprint = None,
    model: ModelName = None,
    prompt_prefix: _Prefix = None,
    every: Annotated[bool, typer.Option("--all", help="All of the tenant's.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Have answers served no more, on any replica; say how many there were.

    Give --request, or --fingerprint, or --model and --prompt-prefix, or --all.
    """
    kind = {"model": model, "prompt_prefix": prompt_prefix}
    given = {"request_id": request, "fingerprint": fingerprint, **kind, "all": every or None}
    body = {name: value for name, value in given.items() if value is not None}
    if not body or (len(body) > 1 and body.keys() - kind.keys()):
        raise typer.BadParameter(
            "give --request, or --fingerprint, or --model and --prompt-prefix, or --all"
        )
    if every or body.keys() & kind.keys():
        confirm(f"Evict {_what(body)} of tenant {tenant}?", yes=yes)
    with session(ctx, as_json=as_json) as work:
        _evict(work, tenant, body)


def errors(ctx: typer.Context, tenant: _Tenant = None, *, as_json: Json = False) -> None:
    """How often answers by meaning were wrong, as measured, and what threshold that leaves."""
    with session(ctx, as_json=as_json) as work:
        if tenant is None:
            work.list_all(_ERRORS, "cache/errors")
            return
        answer = work.client.get(path_to("cache", tenant, "errors"))
        if as_json:
            work.output.json(answer)
        else:
            work.output.table(_ERRORS, answer["data"])


def wrong(
    ctx: typer.Context,
    tenant: TenantName,
    *,
    request: _Request = None,
    fingerprint: _Fingerprint = None,
    as_json: Json = False,
) -> None:
    """Say that an answer was wrong: it is evicted, and counted once if it was found by meaning."""
    if (request is None) == (fingerprint is None):
        raise typer.BadParameter("give --request or --fingerprint")
    given = {"request_id": request, "fingerprint": fingerprint}
    body = {name: value for name, value in given.items() if value is not None}
    with session(ctx, as_json=as_json) as work:
        answer = work.client.send("POST", path_to("cache", tenant, "wrong-hits"), body)
        if as_json:
            work.output.json(answer)
            return
        counted = "counted as a false hit" if answer["data"]["counted"] else "not counted"
        work.output.lines([f"{_evicted(answer['data']['evicted'])}, {counted}"])
        _note_unrecorded(work, answer["data"])


def _evict(work: Session, tenant: str, body: dict[str, Any]) -> None:
    answer = work.client.send("POST", path_to("cache", tenant, "evictions"), body)
    if work.as_json:
        work.output.json(answer)
        return
    found = answer["data"]
    work.output.lines([_evicted(found["evicted"])])
    _note_unrecorded(work, found)
    if not found["evicted"] and "request_id" in body and found["fingerprint"] is None:
        work.output.note(
            "nothing is known of that request, or no longer: see `spillgate cache list`"
        )


def _note_unrecorded(work: Session, found: Record) -> None:
    """Gateways before this one do not tell: they evict nothing that they cannot record."""
    if not found.get("recorded", True):
        work.output.note("the audit log could not be written: the gateway's own log has it")


def _evicted(count: int) -> str:
    return f"{shown.count(count)} answer{'' if count == 1 else 's'} evicted"


def _rate(part: float) -> str:
    return f"{part * 100:.1f} %"


def _what(body: Record) -> str:
    """Which answers, in words."""
    if "all" in body:
        return "all answers"
    by = f" by {body['model']}" if "model" in body else ""
    to = f" to prompts that begin {body['prompt_prefix']!r}" if "prompt_prefix" in body else ""
    return f"the answers{by}{to}"


def _columns(work: Session) -> Sequence[Column]:
    return (
        Column("REQUEST", lambda each: shown.text(each["request_id"])),
        Column("MODEL", lambda each: shown.text(each["model"])),
        Column("STORED", lambda each: work.moment(each["stored_at"])),
        Column("ENDS", lambda each: work.moment(each["expires_at"])),
        Column("BYTES", lambda each: shown.count(each["bytes"]), right=True),
        Column("BY MEANING", lambda each: "yes" if each["by_meaning"] else "no"),
        Column("FINGERPRINT", lambda each: shown.text(each["fingerprint"])),
        Column("PROMPT", lambda each: _beginning(each["prompt"])),
    )


def _beginning(prompt: str) -> str:
    """On one line."""
    line = " ".join(prompt.split())
    return shown.text(line if len(line) <= _PROMPT else f"{line[:_PROMPT]}…")
