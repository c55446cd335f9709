"""What a million requests a second take: the arithmetic of docs/scale.md, and its one simulation.

`python -m loadtest.bench.scale`. What one request costs is measured (docs/benchmarks/results.md,
`python -m tests.benchmarks.scaling`); all else follows from it, but for how unevenly tenants fall
on the nodes of a Redis cluster. That is drawn: tenants ask by Zipf's law, and accounts are in the
slots that Redis Cluster gives them.
"""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from redis.crc import key_slot

_SLOTS: Final = 16_384
_MICRO: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one request: microseconds of processor in a gateway and in Redis, and bytes of its row.

    `told_per_s` is how often a busy worker tells others what it takes of deployments, `hearing_us`
    what each of them pays to hear it.
    """

    gateway_us: float
    redis_us: float
    row_bytes: float
    told_per_s: float = 200.0
    hearing_us: float = 30.0


@dataclass(frozen=True, slots=True)
class Cell:
    """Workers that share a Redis cluster and tell each other of their deployments.

    Shares are of one core; `deliveries_per_s` is what Redis passes on of what they tell.
    """

    workers: int
    requests_per_s: float
    hearing_share: float
    deliveries_per_s: float


def cell(figures: Figures, workers: int, use: float) -> Cell:
    """What so many workers serve, each of which uses a part of its core, hearing included."""
    told = figures.told_per_s * workers  # its own come back to it, too
    hearing = told * figures.hearing_us * _MICRO
    left = max(0.0, use - hearing)
    return Cell(workers, workers * left / (figures.gateway_us * _MICRO), hearing, told * workers)


def shards(figures: Figures, requests_per_s: float, use: float) -> int:
    """Nodes of a Redis cluster for so many requests, were they spread evenly."""
    return max(1, math.ceil(requests_per_s * figures.redis_us * _MICRO / use))


def hottest(tenants: int, nodes: int, skew: float, draws: int, seed: int) -> list[float]:
    """The load of the hottest node over the mean, once for each of some draws of tenants' names.

    The k-th tenant asks in proportion to k ** -skew; slots are given out evenly, in order.
    """
    draw = Random(seed)  # noqa: S311  # a simulation
    weights = [(rank + 1) ** -skew for rank in range(tenants)]
    mean, found = sum(weights) / nodes, []
    for _ in range(draws):
        load = [0.0] * nodes
        for weight in weights:
            slot = key_slot(b"%x" % draw.getrandbits(64))
            load[slot * nodes // _SLOTS] += weight
        found.append(max(load) / mean)
    return found


def report(figures: Figures, *, requests_per_s: float, use: float, seed: int) -> str:
    """The tables of the page."""
    cores = requests_per_s * figures.gateway_us * _MICRO / use
    each = f"{figures.gateway_us:g} us of gateway and {figures.redis_us:g} us of Redis each"
    lines = [
        f"{requests_per_s:,.0f} requests/s at {each}, cores used to {use:.0%}:",
        "",
        f"- {math.ceil(cores):,} cores of gateways",
        f"- {shards(figures, requests_per_s, use):,} cores of Redis, were tenants spread evenly",
        f"- {requests_per_s * figures.row_bytes / 1e6:,.0f} MB/s of ledger",
        "",
        "| workers in a cell | requests/s | hearing, of a core | messages/s | cells |",
        "|--:|--:|--:|--:|--:|",
    ]
    for workers in (8, 16, 32, 64, 128):
        one = cell(figures, workers, use)
        cells = math.ceil(requests_per_s / one.requests_per_s) if one.requests_per_s else "none"
        lines.append(
            f"| {workers} | {one.requests_per_s:,.0f} | {one.hearing_share:.0%} "
            f"| {one.deliveries_per_s:,.0f} | {cells} |"
        )
    lines += ["", *_spread(seed)]
    return "\n".join(lines)


def _spread(seed: int) -> list[str]:
    head = "| tenants | nodes | hottest node over the mean, median of 20 | worst |"
    lines = [head, "|--:|--:|--:|--:|"]
    for tenants in (100, 1_000, 10_000):
        for nodes in (3, 9, 27):
            found = sorted(hottest(tenants, nodes, 1.0, 20, seed))
            median = found[len(found) // 2]
            lines.append(f"| {tenants:,} | {nodes} | {median:.1f} | {found[-1]:.1f} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    parser = ArgumentParser("python -m loadtest.bench.scale", description=__doc__)
    parser.add_argument("--gateway-us", type=float, default=134.0)
    parser.add_argument("--redis-us", type=float, default=27.0)
    parser.add_argument("--row-bytes", type=float, default=492.0)
    parser.add_argument("--requests-per-s", type=float, default=1_000_000.0)
    parser.add_argument("--use", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    figures = Figures(given.gateway_us, given.redis_us, given.row_bytes)
    told = report(figures, requests_per_s=given.requests_per_s, use=given.use, seed=given.seed)
    sys.stdout.write(told + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
