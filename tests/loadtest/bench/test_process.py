from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from loadtest.bench.machine import can_precede, described
from loadtest.bench.process import pinned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")

SAYS_HOW_IT_RUNS = "import os; print(os.sched_getscheduler(0), *os.sched_getaffinity(0))"


def how_it_runs(*, first: bool) -> tuple[int, set[int]]:
    core = min(os.sched_getaffinity(0))
    command = pinned([sys.executable, "-c", SAYS_HOW_IT_RUNS], [core], first=first)
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    policy, *cores = map(int, said.split())
    return policy, set(cores)


def test_a_program_has_the_cores_it_is_given() -> None:
    """And the priority that this process has."""
    usual, core = os.sched_getscheduler(0), min(os.sched_getaffinity(0))
    assert how_it_runs(first=False) == (usual, {core})


def test_what_stands_for_another_machine_goes_before_what_does_not() -> None:
    """Where this process may have it so; otherwise it runs as the others do."""
    expected = os.SCHED_FIFO if can_precede() else os.sched_getscheduler(0)
    assert how_it_runs(first=True)[0] == expected


@pytest.mark.parametrize("may", [True, False])
def test_the_report_says_whether_it_did(monkeypatch: pytest.MonkeyPatch, *, may: bool) -> None:
    """A reader compares runs of machines that differ in this; asking changes nothing."""
    policies, usual = list[int](), os.sched_getscheduler(0)

    def set_policy(_pid: int, policy: int, _param: object) -> None:
        if not may:
            raise PermissionError
        policies.append(policy)

    monkeypatch.setattr(os, "sched_setscheduler", set_policy)
    how: Mapping[str, object] = described()
    assert how["load and upstream"] == ("before Redis" if may else "by turns with Redis")
    assert policies == ([os.SCHED_FIFO, usual] if may else [])
