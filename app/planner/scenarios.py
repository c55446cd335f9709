"""What strategies are compared on: workloads, and ways in which the configuration is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from app.planner.azure import PtuFacts, Speed
from app.planner.strategy import PtuBelief
from app.planner.traffic import Lengths, Workload

#: gpt-4o. Azure: provisioned throughput sizing page, 2026-05.
INPUT_TPM_PER_PTU: Final = 2500
OUTPUT_RATIO: Final = 4.0
CACHED_WEIGHT: Final = 0.0
MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Network:
    """Delays in seconds: to Azure and back, and from one replica to another."""

    round_trip_s: float = 0.05
    message_s: float = 0.005


@dataclass(frozen=True, slots=True)
class Case:
    """A deployment and what is asked of it."""

    ptus: int
    workload: Workload
    hours: float
    """How much of it is simulated unless told otherwise; a day's curve in that time."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the truth differs from what the routers are told."""

    capacity: float = 1.0
    """True capacity over the configured one."""
    depth_s: float = MINUTE
    foreign: float = 0.0
    """Traffic past the gateway, on average, as a part of the workload's."""
    tells_utilization: bool = True
    whole_seconds: bool = False


CONTENDED: Final = Workload(
    night_rate=2.2,
    day_rate=10.0,
    prompt=Lengths(260, 1.15, 60_000),
    question=Lengths(80, 1.2, 20_000),
    answer=Lengths(45, 0.9, 4_000),
    caps=(512, None, 1024, 256, 4096),
)

CASES: Final[Mapping[str, Case]] = MappingProxyType(
    {
        "contended": Case(100, CONTENDED, hours=4),
        "few-large": Case(
            15,
            Workload(
                night_rate=0.025,
                day_rate=0.1,
                prompt=Lengths(5_000, 0.9, 110_000),
                question=Lengths(1_500, 0.9, 50_000),
                answer=Lengths(500, 0.8, 8_000),
                caps=(2048, None, 8192, 4096),
                tenants=4,
                continued=0.3,
            ),
            hours=48,
        ),
        "many-small": Case(
            120,
            Workload(
                night_rate=24.0,
                day_rate=100.0,
                prompt=Lengths(45, 0.8, 2_000),
                question=Lengths(25, 0.8, 1_000),
                answer=Lengths(4, 0.8, 200),
                caps=(16, 32, None, 64),
                tenants=20,
                continued=0.1,
            ),
            hours=0.5,
        ),
    }
)

CALIBRATIONS: Final[Mapping[str, Calibration]] = MappingProxyType(
    {
        "right": Calibration(),
        "capacity -20 %": Calibration(capacity=0.8),
        "capacity +20 %": Calibration(capacity=1.2),
        "foreign traffic": Calibration(foreign=0.25),
        "no header": Calibration(tells_utilization=False),
        "whole seconds": Calibration(whole_seconds=True),
        "depth 30 s": Calibration(depth_s=30.0),
        "depth 120 s": Calibration(depth_s=120.0),
        "all wrong": Calibration(
            capacity=0.8, depth_s=30.0, foreign=0.25, tells_utilization=False, whole_seconds=True
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Under which circumstances strategies run; `name` is CASE/CALIBRATION."""

    name: str
    case: Case
    calibration: Calibration
    hours: float
    seed: int
    replicas: int = 3
    network: Network = field(default_factory=Network)
    speed: Speed = field(default_factory=Speed)

    @property
    def belief(self) -> PtuBelief:
        rate = self.case.ptus * INPUT_TPM_PER_PTU / MINUTE
        return PtuBelief(rate, MINUTE, OUTPUT_RATIO, CACHED_WEIGHT)

    @property
    def facts(self) -> PtuFacts:
        wrong = self.calibration
        return PtuFacts(
            tokens_per_s=self.belief.tokens_per_s * wrong.capacity,
            depth_s=wrong.depth_s,
            output_ratio=OUTPUT_RATIO,
            cached_weight=CACHED_WEIGHT,
            tells_utilization=wrong.tells_utilization,
            whole_seconds=wrong.whole_seconds,
        )


def scenarios(
    prefix: str = "", *, hours: float | None = None, seed: int = 7
) -> tuple[Scenario, ...]:
    """Those whose names begin so, of all cases with all calibrations."""
    return tuple(
        Scenario(f"{case_name}/{wrong}", case, calibration, hours or case.hours, seed)
        for case_name, case in CASES.items()
        for wrong, calibration in CALIBRATIONS.items()
        if f"{case_name}/{wrong}".startswith(prefix)
    )
