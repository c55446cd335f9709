"""`spillgate secret`: secrets of a configuration sealed, and sealed anew under another key.

A secret comes from standard input or a file, never from the command line, where other users of the
machine and the shell's history would see it. None is ever printed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_bytes
from typing import Annotated, Final, NoReturn

import typer

from app.cli.client import AdminError
from app.cli.session import Surroundings
from app.cli.written import replaced
from app.settings import Settings
from app.settings.loader import MAX_CONFIG_BYTES
from app.settings.resealing import SealedFile
from app.settings.sealed import SealError, new_master_key
from app.settings.tree import UnusableYamlError
from app.settings.unsealing import place_of, record_of

_MISTAKE: Final = 2
#: Of a secret, in bytes.
_MOST: Final = 16 * 1024

_Config = Annotated[Path, typer.Option("--config", help="The configuration, a YAML file.")]
_Record = Annotated[
    str, typer.Option("--record", help="Its place, such as deployments.east.auth.api_key.")
]
_From = Annotated[
    Path | None, typer.Option("--from", help="A file with the secret; else standard input.")
]


def secret_commands() -> typer.Typer:
    """The group."""
    group = typer.Typer(no_args_is_help=True, help="Secrets of a config, encrypted at rest.")
    group.command("new-key")(new_key)
    group.command("seal")(seal)
    group.command("rotate")(rotate)
    group.command("verify")(verify)
    return group


def new_key() -> None:
    """Print a fresh master key; it is kept nowhere. Without it what it seals is lost."""
    key = new_master_key(token_bytes)
    typer.echo(key.text)
    typer.echo(f"its id is {key.id}; keep it now, where only the gateway reads it", err=True)


def seal(ctx: typer.Context, *, config: _Config, record: _Record, source: _From = None) -> None:
    """Seal a secret for its place in the config, with the newest of its master keys."""
    place = place_of(record, Settings)
    if place is None:
        _fail(f"{record!a}: no secret is kept there")
    file = _read(config, ctx)
    try:
        typer.echo(file.keys.seal(_secret(source), record_of(place), token_bytes))
    except SealError as error:
        _fail(f"{record_of(place)}: {error}")


def rotate(ctx: typer.Context, *, config: _Config) -> None:
    """Wrap every sealed value of the config with its newest master key; comments stay."""
    file = _read(config, ctx)
    try:
        found = file.rewrapped(token_bytes)
    except SealError as error:
        _fail(f"{config}: {error}; nothing was changed")
    if found.changed:
        _write(config.resolve(), found.text)
    for record in found.changed:
        typer.echo(f"{record}: wrapped anew")
    for record in found.elsewhere:
        typer.echo(f"{record}: not in this file: seal it anew where it is", err=True)
    if not (found.changed or found.elsewhere):
        typer.echo("nothing to do: all is wrapped with the newest key", err=True)


def verify(ctx: typer.Context, *, config: _Config) -> None:
    """Say of every sealed value whether it opens, and with which key; 2 where one does not."""
    values = list(_read(config, ctx).values())
    for value in values:
        where = "" if value.is_here else ", not in this file"
        typer.echo(f"{value.record}: {value.problem or f'opens with {value.key_id}'}{where}")
    if not values:
        typer.echo("nothing is sealed", err=True)
    if any(value.problem for value in values):
        raise typer.Exit(_MISTAKE)


def _read(config: Path, ctx: typer.Context) -> SealedFile:
    surroundings: Surroundings = ctx.obj
    environment: Callable[[], Mapping[str, str]] = surroundings.environment
    try:
        data = config.read_bytes()
        if len(data) > MAX_CONFIG_BYTES:
            _fail(f"{config}: is larger than {MAX_CONFIG_BYTES} bytes")
        return SealedFile(data.decode("utf-8"), environment(), config.parent)
    except OSError as error:
        _fail(f"{config}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        _fail(f"{config}: is not UTF-8")
    except UnusableYamlError as error:
        _fail(f"{config}:{error.place.line}:{error.place.column}: {error.message}")


def _secret(source: Path | None) -> str:
    """What is to be sealed, without the end of its last line."""
    try:
        data = source.read_bytes() if source else sys.stdin.buffer.read(_MOST + 1)
        text = data.decode("utf-8").rstrip("\r\n")
    except OSError as error:
        _fail(f"the secret cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        _fail("the secret is not UTF-8")
    if not text or len(data) > _MOST:
        _fail("there is no secret" if not text else f"the secret has more than {_MOST} bytes")
    return text


def _write(path: Path, text: str) -> None:
    """In one step; whoever may read it stays as it was."""
    mode = path.stat().st_mode & 0o7777
    try:
        with replaced(path) as part, part.open("w", encoding="utf-8", newline="") as file:
            part.chmod(mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except AdminError as error:
        _fail(f"{error}; nothing was changed")


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(_MISTAKE)
