from __future__ import annotations

import os
import sys

import pytest

from loadtest.bench.machine import rolled_up, rss_mb
from loadtest.bench.memory import Found, told


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")
def test_memory_by_kind_adds_up_to_what_is_resident() -> None:
    """Of this process: what is private is no more than its share, and that no more than all."""
    found = rolled_up(os.getpid())
    private = found["Private_Clean"] + found["Private_Dirty"]
    assert 5 < private <= found["Pss"] <= found["Rss"]
    assert found["Rss"] == pytest.approx(rss_mb([os.getpid()]), rel=0.1)


def test_the_median_of_each_role_is_told() -> None:
    """A worker's and that of who keeps them are not mixed."""
    looks = [Found("worker", dict.fromkeys(KINDS, mb)) for mb in (100.0, 900.0, 110.0)]
    admin, worker = told(2, [*looks, Found("admin", dict.fromkeys(KINDS, 90.0))])
    assert worker.split()[2:5] == ["worker", "resident", "110.0"]
    assert admin.split()[2:5] == ["admin", "resident", "90.0"]


KINDS = ("resident", "share", "private", "anonymous")
