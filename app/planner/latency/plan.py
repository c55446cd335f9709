"""What is measured and in which order: all deployments in turns, so that a busy minute hits all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Plan:
    """A comparison; numbers of requests are per deployment."""

    deployments: tuple[str, ...]
    requests: int = 50
    warm_up: int = 3
    """Requests before those that count: connections, tokens of Entra ID, whatever sleeps."""
    prompt_tokens: int = 500
    output_tokens: int = 200
    """The most that an answer may have."""
    concurrency: int = 1
    """Requests under way at once, of all deployments together."""
    seed: int = 7
    """Of the order and of the intervals."""

    @property
    def total(self) -> int:
        """Requests of all deployments, warm-up included."""
        return len(self.deployments) * (self.requests + self.warm_up)


@dataclass(frozen=True, slots=True)
class Turn:
    """One request to be sent; warm-up does not count."""

    number: int
    deployment: str
    counts: bool


def turns(plan: Plan) -> Iterator[Turn]:
    """Rounds in which every deployment has its turn once, the order within a round drawn."""
    rng = Random(plan.seed)  # noqa: S311  # an order, repeatable by its seed
    for number in range(plan.warm_up + plan.requests):
        order = rng.sample(plan.deployments, len(plan.deployments))
        for place, deployment in enumerate(order):
            turn = number * len(order) + place
            yield Turn(turn, deployment, counts=number >= plan.warm_up)
