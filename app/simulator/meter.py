"""Admits requests to a deployment, each kind in its own way, behind one interface."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from app.simulator.deployment import SimulatedDeployment
from app.simulator.paygo_window import FixedWindow, call_window, token_window
from app.simulator.ptu_bucket import LearnedOutput, PtuBucket

# Azure's estimate for a request that caps nothing, seen by the authors of its API simulator.
PAYGO_UNCAPPED_ESTIMATE: Final = 16


@dataclass(frozen=True, slots=True)
class Demand:
    """What is known of a request before it runs; `cap` is per generation, None without one."""

    prompt: int
    cached: int = 0
    cap: int | None = None
    generations: int = 1


@dataclass(frozen=True, slots=True)
class Admitted:
    """`charge` was taken for the demand, in input tokens."""

    demand: Demand
    charge: float


@dataclass(frozen=True, slots=True)
class Throttled:
    """Nothing was taken; `wait` seconds and it may be."""

    wait: float
    limit: Literal["token", "call", "capacity"]


class Meter(Protocol):
    """The capacity of one deployment; `now` is seconds of a clock that never runs backwards."""

    def admit(self, demand: Demand, now: float) -> Admitted | Throttled: ...

    def settle(self, admitted: Admitted, output: int, now: float, *, ran: bool) -> None:
        """Correct the estimate; unless it `ran`, the request used nothing."""

    def utilization(self, now: float) -> float:
        """The used part of the capacity, 1.0 being all."""

    def headers(self, now: float) -> Mapping[str, str]:
        """What responses say about the capacity."""


class PtuMeter:
    """A provisioned deployment."""

    def __init__(self, deployment: SimulatedDeployment, now: float) -> None:
        self._deployment = deployment
        self._learned = LearnedOutput()
        self._bucket = PtuBucket(
            tokens_per_s=deployment.input_tokens_per_s,
            window_s=deployment.ptu_window_s,
            now=now,
        )

    def admit(self, demand: Demand, now: float) -> Admitted | Throttled:
        cap = self._learned.tokens if demand.cap is None else demand.cap
        output = min(cap, self._deployment.context_window) * demand.generations
        charge = self._weigh(demand, output)
        if self._bucket.admit(charge, now):
            return Admitted(demand, charge)
        return Throttled(self._bucket.wait(now), "capacity")

    def settle(self, admitted: Admitted, output: int, now: float, *, ran: bool) -> None:
        used = self._weigh(admitted.demand, output) if ran else 0.0
        self._bucket.correct(used - admitted.charge, now)
        if ran and output:
            self._learned.observe(output // admitted.demand.generations)

    def utilization(self, now: float) -> float:
        return self._bucket.utilization(now)

    def headers(self, now: float) -> Mapping[str, str]:
        percent = f"{100 * self.utilization(now):.1f}%"
        return {"azure-openai-deployment-utilization": percent}

    def _weigh(self, demand: Demand, output: int) -> float:
        discount = demand.cached * (1 - self._deployment.cached_weight)
        return demand.prompt - discount + self._deployment.output_ratio * output


class PaygoMeter:
    """A pay-as-you-go deployment; a limit that is None is not there.

    Remaining requests are those of the current 10 s, the window that refuses.
    """

    def __init__(self, deployment: SimulatedDeployment) -> None:
        self._rpm = deployment.rpm
        self._on_azure = deployment.on_azure
        self._calls = None if deployment.rpm is None else call_window(deployment.rpm)
        self._tokens = None if deployment.tpm is None else token_window(deployment.tpm)

    def admit(self, demand: Demand, now: float) -> Admitted | Throttled:
        if self._calls is not None:
            has_room = self._calls.left(now) > 0
            self._calls.used += 1
            if not has_room:
                return Throttled(self._calls.reset_in(now), "call")
        cap = PAYGO_UNCAPPED_ESTIMATE if demand.cap is None else demand.cap
        charge = demand.prompt + cap * demand.generations
        if self._tokens is not None:
            if not self._tokens.left(now):
                return Throttled(self._tokens.reset_in(now), "token")
            self._tokens.used += charge
        return Admitted(demand, charge)

    def settle(self, admitted: Admitted, output: int, now: float, *, ran: bool) -> None:
        """Nothing: the estimate stays until the counter is reset."""

    def utilization(self, now: float) -> float:
        if not self._tokens:
            return 0.0
        self._tokens.roll(now)
        return self._tokens.used / self._tokens.limit

    def headers(self, now: float) -> Mapping[str, str]:
        headers: dict[str, str] = {}
        if self._calls is not None:
            headers |= self._window_headers("requests", self._calls, self._rpm, now)
        if self._tokens is not None:
            headers |= self._window_headers("tokens", self._tokens, self._tokens.limit, now)
        return headers

    def _window_headers(
        self, unit: str, window: FixedWindow, limit: int | None, now: float
    ) -> Mapping[str, str]:
        reset = math.ceil(window.reset_in(now))
        return {
            f"x-ratelimit-limit-{unit}": str(limit),
            f"x-ratelimit-remaining-{unit}": str(window.left(now)),
            f"x-ratelimit-reset-{unit}": str(reset) if self._on_azure else f"{reset}s",
        }


def meter_for(deployment: SimulatedDeployment, now: float) -> Meter:
    if deployment.kind == "ptu":
        return PtuMeter(deployment, now)
    return PaygoMeter(deployment)
