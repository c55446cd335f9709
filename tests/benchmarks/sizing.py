"""How long `spillgate plan` takes for a million requests: once to weigh them, then for each number.

`python -m tests.benchmarks.sizing`. A drawn month; processor time, and the most memory it had.
"""

from __future__ import annotations

import resource
import sys
import time
from random import Random
from typing import Final

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.replay import replay, weighed
from app.planner.sizing.traffic import Recorded

_REQUESTS: Final = 1_000_000
_MONTH_S: Final = 30 * 86_400
_CAPACITY: Final = PtuCapacity(2500 / 60, 4.0)


def main() -> None:
    """Print them."""
    draw = Random(7)  # a benchmark
    traffic = [
        Recorded(
            draw.random() * _MONTH_S,
            draw.expovariate(0.2),
            int(draw.lognormvariate(6, 1)),
            0,
            int(draw.lognormvariate(5, 1)),
        )
        for _ in range(_REQUESTS)
    ]
    began = time.process_time()
    known = weighed(traffic, _CAPACITY)
    sys.stdout.write(f"weighed: {time.process_time() - began:.1f} s\n")
    for ptus in (15, 25, 50):
        began = time.process_time()
        spilled = replay(known, ptus, _CAPACITY.tokens_per_s).spilled
        took = time.process_time() - began
        sys.stdout.write(f"{ptus} PTUs: {took:.2f} s, {spilled:,} spilled\n")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"memory: {most:.0f} MB\n")


if __name__ == "__main__":
    main()
