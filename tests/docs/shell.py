"""A page's commands, run in its order in one shell, in a directory that looks like a checkout."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.docs.blocks import ROOT, Block
from tests.docs.forked import CALLER
from tests.docs.placeholders import replaced
from tests.docs.treatment import Treatment, Untreated, treatment

SHIMS: Final = Path(__file__).parent / "shims"
DEADLINE_S: Final = 150
#: Blocks with one of these start gateways of their own; then nothing is set up for the page.
_SERVES: Final = re.compile(r"^(?:make run|spillgate (?:demo|serve|simulate))\b", re.MULTILINE)
_MARK: Final = "\x01"
#: The lines to copy that a demo printed, once.
_COPIED: Final = '[ ! -f "$HOME/printed" ] || { . "$HOME/printed"; rm "$HOME/printed"; }\n'
#: A failure that a shell goes on after, as in `export KEY=$(spillgate …)`.
_JUDGED: Final = '[ ! -s "$HOME/failed" ] || { cat "$HOME/failed"; exit 9; }\n'
#: Below those that the kernel hands out by itself.
_PORTS: Final = range(20_000, 32_000, 7)


@dataclass(frozen=True, slots=True)
class Place:
    """A page's directory, the addresses for those in its text, and the variables it begins with."""

    directory: Path
    data_url: str
    admin_url: str
    environment: Mapping[str, str]

    @property
    def programs(self) -> Path:
        """What `. .venv/bin/activate` puts on the path."""
        return self.directory / ".venv" / "bin"


def run_of(blocks: Iterable[Block]) -> list[Block]:
    """Those that a page's shell does something with; what is untreated is another test's matter."""
    return [each for each in blocks if _treated(each) in {Treatment.RUN, Treatment.SAVED}]


def _treated(block: Block) -> Treatment | None:
    try:
        return treatment(block)
    except Untreated:
        return None


def serves_itself(blocks: Iterable[Block]) -> bool:
    """Whether a page starts a gateway of its own."""
    return any(_SERVES.search(each.text) for each in run_of(blocks))


def prepared(directory: Path, command: Path, ports: tuple[int, int]) -> None:
    """Make a directory what a checkout is after `make setup`, as far as pages know."""
    curl = shutil.which("curl")
    assert curl, "pages call the gateway by curl"
    settings = {
        "PYTHON": sys.executable,
        "COMMAND": str(command),
        "HERE": str(directory),
        "CURL": curl,
        "PORT": str(ports[0]),
        "ADMIN_PORT": str(ports[1]),
    }
    _write(directory / "settings.sh", _assigned(settings))
    _write(directory / "call.py", CALLER)
    programs = directory / ".venv" / "bin"
    _write(programs / "activate", f"PATH={shlex.quote(str(programs))}:$PATH\n")
    for shim in SHIMS.iterdir():
        place = directory / "bin" if shim.name == "make" else programs
        begin = f"#!/bin/bash\n. {shlex.quote(str(directory))}/settings.sh\n"
        _write(place / shim.name, begin + shim.read_text("utf-8"), mode=0o755)


def _assigned(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _write(path: Path, text: str, *, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)


def newcomers(directory: Path) -> dict[str, str]:
    """The environment of somebody who has the checkout, and has set nothing."""
    return {
        "HOME": str(directory),
        "PATH": f"{directory / 'bin'}:{os.defpath}",
        "TZ": "Europe/Berlin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
        "SPILLGATE__SIMULATOR__TTFT_MS": "0",
        "SPILLGATE__SIMULATOR__TPOT_MS": "1",
    }


def free_ports() -> tuple[int, int]:
    """Two that nobody listens on, of those that the kernel hands out to nobody by itself."""
    found: list[int] = []
    while len(found) < 2:
        port = random.choice(_PORTS)
        with contextlib.suppress(OSError), socket.socket() as trial:
            trial.bind(("127.0.0.1", port))
            found.append(port)
    return found[0], found[1]


def outputs(blocks: list[Block], place: Place) -> dict[int, str]:
    """Run blocks; what each printed, by its line. AssertionError where one of them fails."""
    done = subprocess.run(
        ["bash", "-c", "".join(_step(each, place) for each in blocks)],
        cwd=place.directory,
        env=dict(place.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    parts = [part.split("\n", 1) for part in done.stdout.split(_MARK)[1:]]
    printed = {int(line): text for line, text in parts}
    last = max(printed, default=0)
    assert done.returncode == 0, (
        f"{blocks[0].page}:{last}: exit code {done.returncode} of the shell that ran this block:\n"
        f"{printed.get(last, done.stdout)[-3000:]}\n{_log(place)[-3000:]}"
    )
    return printed


def _log(place: Place) -> str:
    """What the page's own gateway said."""
    log = place.directory / "log"
    return log.read_text("utf-8") if log.exists() else ""


@contextmanager
def ended(place: Place) -> Iterator[None]:
    """End what the page has started, which then ends well."""
    try:
        yield
    finally:
        end = subprocess.run(
            [place.programs / "docs-end"], capture_output=True, text=True, check=False
        )
    assert end.returncode == 0, end.stdout + _log(place)


def _step(block: Block, place: Place) -> str:
    """A block as a part of the page's script, which ends with the first thing that fails."""
    heading = f"printf '{_MARK}{block.line}\\n'\n"
    if block.file is not None:
        return f"{heading}cat > {shlex.quote(block.file)} {_here(block.text)}"
    text = replaced(block.text, data_url=place.data_url, admin_url=place.admin_url)
    if block.language == "python":
        text = f"{place.programs / 'python'} - {_here(text)}"
    return f"{heading}{_COPIED}set -e\n{text}{_JUDGED}set +e\n"


def _here(text: str) -> str:
    return f"<<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n"
