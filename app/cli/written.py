"""How results are written: a table, JSON, CSV or Parquet, to standard output or to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import IO, Annotated

import typer

from app.cli.client import AdminError, Parameters
from app.cli.output import Output
from app.cli.session import Session


class Format(StrEnum):
    """How usage is written; a closed set."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


FormatOption = Annotated[Format | None, typer.Option("--format", help="Default: table.")]
FileOption = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.")]


def wanted(form: Format | None, *, as_json: bool) -> Format:
    """The format that two options ask for."""
    if as_json and form not in {None, Format.JSON}:
        raise typer.BadParameter(f"--json and --format {form} exclude each other")
    return Format.JSON if as_json else form or Format.TABLE


def check_target(form: Format, output: Path | None) -> None:
    """Refuse to write bytes to a terminal."""
    if form is Format.PARQUET and output is None and sys.stdout.isatty():
        raise typer.BadParameter("Parquet is not for a terminal: add --output FILE")


@contextmanager
def target(work: Session, output: Path | None) -> Iterator[Output]:
    """The session's own output, or a file."""
    if output is None:
        yield work.output
        return
    with replaced(output) as part, part.open("w", encoding="utf-8") as file:
        yield Output(file, sys.stderr)


def download(work: Session, path: str, asked: Parameters, output: Path | None) -> None:
    """Bytes as the server sends them, to the file or to standard output."""
    with work.client.download(path, asked) as parts:
        if output is None:
            _copy(parts, sys.stdout.buffer)
            return
        with replaced(output) as part, part.open("wb") as file:
            _copy(_with_progress(parts, output.name), file)
    work.output.note(f"{output}: {output.stat().st_size:,} bytes")


def _copy(parts: Iterator[bytes], to: IO[bytes]) -> None:
    for part in parts:
        to.write(part)
    to.flush()


@contextmanager
def replaced(output: Path) -> Iterator[Path]:
    """A file beside `output` that takes its place once it is complete. Raises AdminError."""
    part = output.with_name(f"{output.name}.part")
    try:
        yield part
        part.replace(output)
    except OSError as error:
        raise AdminError(f"{output}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def _with_progress(parts: Iterator[bytes], name: str) -> Iterator[bytes]:
    """What has come so far, shown on a terminal alone."""
    # 70 ms, which other commands do without.
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
    )

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(name, total=None)
        for part in parts:
            bar.advance(task, len(part))
            yield part
