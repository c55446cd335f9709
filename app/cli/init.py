"""`spillgate init`: a first config, of an Azure login, of one resource, or of what is typed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import typer

from app.planner.drafting.draft import Draft, draft
from app.planner.drafting.found import Found, NotTold, named
from app.settings.endpoint import endpoint_fault

#: Azure Resource Manager of the public cloud; sovereign clouds have others.
MANAGEMENT: Final = "https://management.azure.com"
KEY_VARIABLE: Final = "AZURE_OPENAI_API_KEY"
_VARIABLE: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_NEW: Final = "$(spillgate key new)"
#: Variables whose values are made here.
_MADE: Final = {"SPILLGATE_ADMIN_KEY": _NEW, "FIRST_TEAM_KEY": _NEW}
SCHEMA_FILE: Final = "spillgate.schema.json"
MISTAKE: Final = 2
NOT_TOLD: Final = 1


@dataclass(frozen=True, slots=True)
class Login:
    """All that a login sees, or one subscription of it."""

    subscription: str | None
    management: str


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource, with a key of it."""

    endpoint: str
    key: str = field(repr=False)


#: Whoever asks Azure for deployments. Raises NotTold.
Find = Callable[[Login | Resource], Sequence[Found]]


@dataclass(frozen=True, slots=True)
class Given:
    """What `init` was told, and from which environment its key comes."""

    environment: Mapping[str, str]
    endpoint: str | None
    deployments: Sequence[str]
    key_variable: str
    entra: bool
    login: Login | None


class Mistake(Exception):
    """What was given does not make a config; the text says why in one line."""


def drafted(given: Given, find: Find) -> Draft:
    """The config. Raises Mistake, NotTold."""
    if not _VARIABLE.fullmatch(given.key_variable):
        raise Mistake(f"--key-variable: {given.key_variable!r} is no name of a variable")
    found = _found(given, find)
    if not any(not each.note for each in found):
        told = "; ".join(f"{each.name}: {each.note}" for each in found)
        raise Mistake("there is no deployment to write about" + (f" ({told})" if told else ""))
    return draft(found, key_variable=None if given.entra else given.key_variable)


def _found(given: Given, find: Find) -> Sequence[Found]:
    if (given.login is None) == (given.endpoint is None):
        raise Mistake("give either --login, or --endpoint with the address of a resource")
    if given.login is not None:
        return find(given.login)
    endpoint = (given.endpoint or "").rstrip("/")
    if fault := endpoint_fault(endpoint):
        raise Mistake(f"--endpoint {fault}")
    if given.deployments:
        return _named(endpoint, given.deployments)
    key = given.environment.get(given.key_variable, "").strip()
    if not key:
        raise Mistake(
            "name the deployments (--deployment gpt-4o-ptu=gpt-4o,ptu=50), or export the resource's"
            f" key in {given.key_variable}, so that it can be asked for them"
        )
    return find(Resource(endpoint, key))


def _named(endpoint: str, texts: Sequence[str]) -> list[Found]:
    try:
        return [named(endpoint, text) for text in texts]
    except ValueError as error:
        raise Mistake(f"--deployment: {error}") from error


def add_init(cli: typer.Typer, environment: Callable[[], Mapping[str, str]], find: Find) -> None:
    """Add the command."""

    @cli.command()
    def init(  # noqa: PLR0913  # its options
        *,
        login: Annotated[
            bool, typer.Option("--login", help="Find all deployments by your Azure login.")
        ] = False,
        subscription: Annotated[
            str | None, typer.Option(help="With --login: this subscription alone.")
        ] = None,
        management: Annotated[
            str, typer.Option(help="With --login: Azure Resource Manager of your cloud.")
        ] = MANAGEMENT,
        endpoint: Annotated[
            str | None, typer.Option(help="A resource: https://NAME.openai.azure.com")
        ] = None,
        deployment: Annotated[
            list[str] | None,
            typer.Option(help="With --endpoint: NAME[=MODEL][,ptu=N][,tpm=N][,rpm=N]; repeatable."),
        ] = None,
        key_variable: Annotated[
            str, typer.Option(help="The environment variable with the resource's key.")
        ] = KEY_VARIABLE,
        entra: Annotated[
            bool, typer.Option("--entra", help="Tokens of Entra ID in place of a key.")
        ] = False,
        output: Annotated[Path, typer.Option(help="Where to write; - is standard output.")] = Path(
            "spillgate.yaml"
        ),
        force: Annotated[bool, typer.Option("--force", help="Replace what is there.")] = False,
    ) -> None:
        """Write a first, commented config for the deployments that you have.

        By your Azure login (`az login`, a managed identity): types, PTUs, quotas and regions are
        Azure's own. By a resource's address and key, or by what you type: add what is missing.
        """
        seen = Login(subscription, management.rstrip("/")) if login else None
        by_entra = entra or login
        given = Given(environment(), endpoint, deployment or (), key_variable, by_entra, seen)
        try:
            found = drafted(given, find)
            _write(_for_editors(output) + found.text, output, force=force)
        except (Mistake, NotTold) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(MISTAKE if isinstance(error, Mistake) else NOT_TOLD) from None
        for line in _next_steps(output, found, environment()):
            typer.echo(line, err=True)


def _for_editors(output: Path) -> str:
    """A line that names the schema, where `spillgate schema` was written beside the config."""
    is_there = str(output) != "-" and (output.parent / SCHEMA_FILE).is_file()
    return f"# yaml-language-server: $schema=./{SCHEMA_FILE}\n" if is_there else ""


def _write(text: str, output: Path, *, force: bool) -> None:
    """To a file that only its owner reads: the next hand may put a key into it."""
    if str(output) == "-":
        typer.echo(text, nl=False)
        return
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        with os.fdopen(os.open(output, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Mistake(f"{output} is there already; --force replaces it") from None
    except OSError as error:
        raise Mistake(f"{output}: {error.strerror}") from error


def _next_steps(output: Path, found: Draft, environment: Mapping[str, str]) -> list[str]:
    name = "FILE" if str(output) == "-" else str(output)
    missing = [each for each in found.variables if not environment.get(each)]
    made = {"SPILLGATE_ADMIN_KEY", "FIRST_TEAM_KEY"}
    exports = [
        f"  export {each}={'$(spillgate key new)' if each in made else '…'}" for each in missing
    ]
    steps = [f"  spillgate check --config {name} --probe", f"  spillgate serve --config {name}"]
    written = [] if name == "FILE" else [f"Written: {name}. Next:"]
    return [*written, *exports, *steps]
