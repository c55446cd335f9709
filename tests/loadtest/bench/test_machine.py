from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from loadtest.bench.machine import (
    Cores,
    core_busy_s,
    cpu_s,
    descriptor_kinds,
    processes_of,
    rss_mb,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")

BUSY = """
import subprocess, sys, time
waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
child = subprocess.Popen(waits, stdin=subprocess.PIPE)
while time.process_time() < 0.3: pass
print(child.pid, flush=True)
sys.stdin.read()
child.communicate()
"""


def test_a_tree_of_processes_is_counted() -> None:
    """A child is found; processor time and memory are at least what was used."""
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        found = processes_of(process.pid)
        assert set(found) == {process.pid, child}
        assert cpu_s(found) >= 0.28
        assert rss_mb(found) > 5
        process.communicate()
    assert cpu_s(found) == 0  # both have ended


def test_a_core_is_busy_at_most_as_long_as_time_passes() -> None:
    """Whatever runs on it."""
    core = min(os.sched_getaffinity(0))
    began, before = time.monotonic(), core_busy_s(core)
    time.sleep(0.1)
    assert 0 <= core_busy_s(core) - before <= time.monotonic() - began + 0.1


def test_the_gateway_has_a_core_of_its_own() -> None:
    """And the load has the others."""
    if len(os.sched_getaffinity(0)) > 1:
        cores = Cores.of_this_machine()
        assert cores.gateway not in cores.load
        assert {cores.gateway, *cores.load} == os.sched_getaffinity(0)


def test_descriptors_are_told_apart_by_what_they_lead_to() -> None:
    """A soak that ends with one more says which one it is."""
    me = [os.getpid()]
    before = descriptor_kinds(me)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), Path(__file__).open("rb"):
            more = descriptor_kinds(me) - before
    assert more == {
        f"tcp 127.0.0.1:{port}": 1,
        f"tcp to 127.0.0.1:{port}": 1,
        str(Path(__file__)): 1,
    }
    assert not descriptor_kinds(me) - before
