"""What a routing strategy is: one instance per replica, told what that replica can know.

A strategy decides between the provisioned deployment and pay-as-you-go. What Azure thinks reaches
it in answers, a network's time after the fact; what other replicas know reaches it in messages.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeVar

from app.planner.traffic import Request

Target = Literal["ptu", "paygo"]
Message_contra = TypeVar("Message_contra", contravariant=True)


class Usage(NamedTuple):
    """What an answer says at its end, in tokens, and who gave it."""

    target: Target
    input: int
    cached: int
    output: int


class PtuBelief(NamedTuple):
    """What the configuration says of the provisioned deployment; it may be wrong."""

    tokens_per_s: float
    depth_s: float
    output_ratio: float
    cached_weight: float


class Size(NamedTuple):
    """Of one request past the gateway, in seconds of capacity; `lasts` is seconds of time."""

    adds: float
    gives_back: float
    lasts: float


class Foreign(NamedTuple):
    """What can be known beforehand of traffic past the gateway: not when which request comes."""

    rate: Callable[[float], float]
    """Requests a second on average, at a time; 0 where there are none."""
    sizes: Sequence[Size]
    """As likely as each other."""


NO_FOREIGN: Final = Foreign(lambda _: 0.0, ())


class Truth(NamedTuple):
    """What Azure alone knows right now: there for the oracles, which show what is possible."""

    over: Callable[[], float]
    """Seconds of capacity that it is over full; below zero, that there are left."""
    depth_s: float
    """So many are left where it is empty."""
    adds: Callable[[Request], float]
    """Seconds of capacity that a request takes if it is admitted."""
    foreign: Callable[[], Foreign] = lambda: NO_FOREIGN
    """What is usual of the traffic past the gateway."""


@dataclass(frozen=True, slots=True)
class Site(Generic[Message_contra]):
    """Where one instance runs."""

    replica: int
    replicas: int
    belief: PtuBelief
    send: Callable[[Message_contra], None]
    """Tell all other replicas; they hear it a little later, in the order it was sent."""
    truth: Truth


class Headers(NamedTuple):
    """What the headers of one of the PTU's answers say."""

    refused_for: float | None
    """A 429, and for how many seconds; None for an answer."""
    utilization: float | None
    """The bucket's filled part when Azure sent them, 1.0 being full; None without that header.

    It includes the request itself, unless that was refused.
    """
    over: float = 0.0
    """Seconds over full when Azure sent them: for who is compared as if it told them."""


class Strategy(Protocol[Message_contra]):
    """Times are seconds of one clock that all replicas share."""

    def choose(self, request: Request, now: float, /) -> Target:
        """Where to send a request. A refused one goes to pay-as-you-go without asking again."""

    def answered(self, request: Request, headers: Headers, now: float, /) -> None:
        """The PTU's headers are here; those of an answer that is not streamed, with all of it."""

    def completed(self, request: Request, usage: Usage, now: float, /) -> None:
        """The last of an answer is here, from whichever deployment."""

    def heard(self, message: Message_contra, now: float, /) -> None:
        """Another replica has sent this."""


Build = Callable[[Site[Any]], Strategy[Any]]
