"""What every admin command works with: the client, the output, the clock; failures exit with 1."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import tzinfo
from typing import Annotated, Any, Final

import typer

from app.cli import given
from app.cli.client import (
    KEY_VARIABLE,
    Access,
    AdminClient,
    AdminError,
    Parameters,
    admin_client,
    path_to,
)
from app.cli.output import Column, Output, Record, standard_output
from app.cli.shown import moments

FAILED: Final = 1

Json = Annotated[bool, typer.Option("--json", help="The admin API's JSON, for scripts.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
TenantName = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's name.")]
KeyId = Annotated[str | None, typer.Option("--key", help="One key, by its id.")]
ModelName = Annotated[str | None, typer.Option("--model", help="One model.")]
Since = Annotated[str, typer.Option(help="From then on: 24h, 7d, a date, or a time.")]
Until = Annotated[str | None, typer.Option(help="Up to then, exclusively; default: now.")]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a command finds; `zone` None is this machine's."""

    environment: Callable[[], Mapping[str, str]]
    now: Callable[[], float] = time.time
    zone: tzinfo | None = None
    output: Callable[[], Output] = standard_output


@dataclass(frozen=True, slots=True)
class Session:
    """One command's work with the admin API."""

    client: AdminClient
    output: Output
    as_json: bool
    around: Surroundings

    def moment(self, value: object) -> str:
        """A time as it is shown."""
        return moments(self.around.zone)(value)

    def period(self, since: str | None, until: str | None) -> dict[str, str]:
        """Parameters of a period: Unix seconds."""
        bounds = {"since": since, "until": until}
        now, zone = self.around.now(), self.around.zone
        return {
            name: f"{given.moment_before(value, now, zone):.0f}"
            for name, value in bounds.items()
            if value is not None
        }

    def later(self, value: str) -> float:
        """A time to come, in Unix seconds."""
        return given.moment_after(value, self.around.now(), self.around.zone)

    def tenant(self, name: str) -> dict[str, Any]:
        """A tenant as it is now."""
        answer = self.client.get(path_to("tenants", name))
        tenant: dict[str, Any] = answer["data"]
        return tenant

    def list_all(
        self,
        columns: Sequence[Column],
        path: str,
        parameters: Parameters | None = None,
        *,
        cursor: str = "cursor",
    ) -> None:
        """Print a list, all pages of it."""
        pages = self.client.pages(path, parameters, cursor=cursor)
        if self.as_json:
            self.output.json_list(pages)
        else:
            self.output.table(columns, [entry for page in pages for entry in page])

    def changed(self, columns: Sequence[Column], answer: Any) -> None:
        """Print what something is after a change, and where the change is in force."""
        if self.as_json:
            self.output.json(answer)
            return
        self.output.table(columns, [answer["data"]])
        self.in_force(answer)

    def deleted(self, what: str, answer: Any) -> None:
        """Print that something is gone."""
        if self.as_json:
            self.output.json(answer)
            return
        self.output.note(f"{what} deleted")
        self.in_force(answer)

    def in_force(self, answer: Any) -> None:
        """Say on how many workers a change is in force."""
        force: Record = (answer or {}).get("in_force") or {}
        if not force:
            return
        workers, live = force["workers"], force["live"]
        so_far = "" if workers >= live else "; the others follow within a second"
        self.output.note(f"in force on {workers} of {live} workers{so_far}")


@contextmanager
def session(ctx: typer.Context, *, as_json: bool) -> Iterator[Session]:
    """A session; what fails in it is said in one line, and the command exits with 1."""
    around: Surroundings = ctx.obj
    output = around.output()
    try:
        with admin_client(Access.read(around.environment())) as client:
            yield Session(client, output, as_json, around)
    except AdminError as error:
        # What is not the gateway may answer in the words of what it was sent.
        key = around.environment().get(KEY_VARIABLE, "").strip()
        output.note(f"spillgate: {str(error).replace(key, '[redacted]') if key else error}")
        raise typer.Exit(FAILED) from None
    except KeyError as missing:
        output.note(
            f"spillgate: the admin API's answer has no {missing}: the gateway is of another "
            "version than this command"
        )
        raise typer.Exit(FAILED) from None


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; where nobody can be asked, `--yes` must be given."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Nobody is there to ask: add --yes.")
    typer.confirm(question, abort=True, err=True)
