"""The demo does what it prints, and leaves nothing behind."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Spillgate, spillgate

READY = r"What the simulated Azure saw: (\S+)\n"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Spillgate]:
    """One demo for all tests that only look, on free ports, without traffic of its own."""
    cwd = tmp_path_factory.mktemp("demo")
    with spillgate("demo", "--port", "0", "--admin-port", "0", "--no-traffic", cwd=cwd) as running:
        running.wait_for(READY)
        yield running


def test_it_prints_the_exports_on_lines_of_their_own(demo: Spillgate) -> None:
    """A newcomer, or a script, copies them: two for an SDK, two for the admin commands."""
    for export in (
        r"OPENAI_BASE_URL=http://127\.0\.0\.1:\d+/v1",
        r"OPENAI_API_KEY=spg_test_\w+",
        r"SPILLGATE_ADMIN_URL=http://127\.0\.0\.1:\d+",
        r"SPILLGATE_ADMIN_KEY=[\w-]{24,}",
    ):
        assert re.search(f"^export {export}$", demo.output, re.MULTILINE)


def test_the_printed_curl_line_streams_an_answer(demo: Spillgate) -> None:
    """What is printed works as printed: a stream, to its end."""
    _needs("curl")
    answer = _run(demo, _printed(demo, "1. Stream an answer:"))
    assert answer.startswith("data: ")
    assert answer.rstrip().endswith("data: [DONE]")


def test_the_printed_sdk_line_prints_an_answer(demo: Spillgate) -> None:
    """As it is printed: it names the Python that runs the demo, which has the SDK."""
    line = _printed(demo, "2. Ask with the OpenAI SDK")
    assert line.startswith(f"{sys.executable} -c ")
    assert len(_run(demo, line).split()) > 1


def test_the_printed_burst_spills(demo: Spillgate) -> None:
    """Overfilling the PTU shows who served and why."""
    _needs("curl")
    counted = _run(demo, _printed(demo, "3. Overfill the PTU"))
    assert "x-spillgate-deployment: ptu-east" in counted
    assert "x-spillgate-deployment: paygo-" in counted
    assert re.search(r"x-spillgate-spill: (throttled|held|predicted)", counted)


def test_the_printed_admin_command_lists_the_tenant(demo: Spillgate) -> None:
    """The admin address and key are right, and `spillgate` is named by where it is."""
    assert _run(demo, _printed(demo, "The admin commands")).splitlines()[1].split()[0] == "demo"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    """Within ten seconds, with traffic under way, exit code 0 and no Redis left."""
    with spillgate("demo", "--port", "0", "--admin-port", "0", cwd=tmp_path) as running:
        running.wait_for(READY)
        server = _redis_pids(tmp_path)
        assert server
        assert running.end(number) < 10
        assert running.process.returncode == 0, running.output
        assert "Traceback" not in running.output
        assert not _redis_pids(tmp_path)


def test_a_taken_port_is_said_in_one_line(demo: Spillgate, tmp_path: Path) -> None:
    """No traceback: which address, and why."""
    port = re.search(r"http://127\.0\.0\.1:(\d+)/v1", demo.output)
    assert port is not None
    with spillgate("demo", "--port", port[1], "--admin-port", "0", cwd=tmp_path) as second:
        second.process.wait(45)
        second.end()
        assert second.process.returncode == 1
        assert second.output.strip() == (
            f"cannot listen on 127.0.0.1:{port[1]}: Address already in use"
        )


def _printed(demo: Spillgate, title: str) -> str:
    """The command printed below a title: everything up to the next blank line."""
    return demo.output.split(title, 1)[1].split("\n\n", 2)[1]


def _run(demo: Spillgate, command: str) -> str:
    """Run a printed command in a shell, after the two printed exports."""
    exports = "\n".join(re.findall(r"^export .*$", demo.output, re.MULTILINE))
    done = subprocess.run(
        ["bash", "-c", f"{exports}\n{command}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _redis_pids(directory: Path) -> list[str]:
    """Processes whose command line names the directory's data."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(directory / ".spillgate").encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:  # it ended meanwhile
            continue
    return found


def _needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
