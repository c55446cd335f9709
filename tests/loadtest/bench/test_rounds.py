from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from loadtest.bench import process
from loadtest.bench.closed_loop import Generator
from loadtest.bench.contenders.direct import DIRECT
from loadtest.bench.contenders.spillgate import SPILLGATE
from loadtest.bench.environments import ROOT
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, LARGE, OPEN
from loadtest.bench.machine import Cores
from loadtest.bench.rounds import Plan, turns

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")


@pytest.mark.timeout(600)  # a busy machine
def test_a_round_measures_and_its_counts_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a gateway and with this one: all is answered, nothing is changed, five books agree.

    The driver's load, for the public tools are not installed for tests; every lane is short.
    """
    if installed_binaries().server is None:
        pytest.skip("no embedded Redis server for this machine")
    monkeypatch.setattr(process, "can_precede", lambda: False)  # other tests run on these cores
    usable = sorted(os.sched_getaffinity(0))
    cores = Cores(usable[-1], (usable[0],))
    lanes = [CLOSED, OPEN, LARGE, FEW_STREAMS]
    generator = Generator(None, cores.load, tmp_path)
    plan = Plan([DIRECT, SPILLGATE], lanes, 1, 0.2, cores, generator, ROOT, None)
    direct, ours = turns(plan)
    assert (direct.error, ours.error) == ("", "")
    assert ours.agreement is not None
    assert ours.agreement["differs"] == []
    assert ours.agreement["asked"] > 200
    assert set(ours.lanes) == set(lanes)
    assert (direct.lanes[FEW_STREAMS]["changed"], ours.lanes[FEW_STREAMS]["changed"]) == (0, 0)
    assert direct.lanes[FEW_STREAMS]["crc32"] == ours.lanes[FEW_STREAMS]["crc32"] > 0
    for figures in ours.lanes.values():
        assert not [name for name in figures if name.endswith("failed") and figures[name]]
    assert ours.rss_mb > 10
    assert ours.lanes[CLOSED]["cpu_us"] > 0
    assert ours.lanes[CLOSED]["redis_us"] > 0
