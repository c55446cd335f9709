"""Rounds in which everybody has a turn, one after the other: A B C, A B C, A B C."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.bench.closed_loop import Generator
from loadtest.bench.contender import Bench, Contender
from loadtest.bench.driving import LoadFailed
from loadtest.bench.lane_names import CLOSED
from loadtest.bench.lanes import LANES
from loadtest.bench.machine import Cores
from loadtest.bench.process import NotStarted
from loadtest.bench.results import DIRECT
from loadtest.bench.turn import Figures, Turn, TurnFound
from loadtest.bench.upstreams import Upstreams, upstreams


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run; `crc32` is learnt from streams without a gateway."""

    contenders: Sequence[Contender]
    lanes: Sequence[str]
    rounds: int
    seconds: float
    cores: Cores
    generator: Generator
    checkout: Path
    #: The upstream's; None: the stream server answers instead.
    nginx: Path | None


def turns(plan: Plan) -> Iterator[TurnFound]:
    """Every turn of every round, each at its end. Raises Missing, NotStarted."""
    crc32 = 0
    with upstreams(plan.cores, plan.generator.place, plan.nginx) as both:
        for number in range(plan.rounds):
            for contender in plan.contenders:
                found = _turn(plan, contender, both, number=number, crc32=crc32)
                if contender.name == DIRECT:
                    crc32 = _crc32(found.lanes) or crc32
                yield found


def _turn(
    plan: Plan, contender: Contender, both: Upstreams, *, number: int, crc32: int
) -> TurnFound:
    place = Path(tempfile.mkdtemp(prefix=f"bench-{contender.name}-", dir=plan.generator.place))
    bench = Bench(plan.cores, both.answers_port, both.streams_port, place, plan.checkout)
    lanes: dict[str, Figures] = {}
    try:
        with contender.start(bench) as gateway:
            rss_mb = gateway.rss_mb()
            turn = Turn(
                gateway, plan.generator, plan.seconds, plan.cores.gateway, stream_crc32=crc32
            )
            for name in plan.lanes:
                if name in contender.lanes:
                    turn.generator = _generator(plan, contender, name)
                    lanes[name] = LANES[name](turn)
            agreement = gateway.agree(turn.answered) if gateway.agree else None
        return TurnFound(contender.name, number, lanes, agreement, rss_mb)
    except (NotStarted, LoadFailed) as error:
        return TurnFound(contender.name, number, lanes, error=str(error))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _generator(plan: Plan, contender: Contender, lane: str) -> Generator:
    """Without a gateway its core is free: there the load finds out what the upstream can do."""
    if contender.name == DIRECT and lane == CLOSED:
        return replace(plan.generator, cores=(plan.cores.gateway,))
    return plan.generator


def _crc32(lanes: Mapping[str, Figures]) -> int:
    return next((int(each["crc32"]) for each in lanes.values() if "crc32" in each), 0)
