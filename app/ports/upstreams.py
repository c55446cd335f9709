"""Deployments: what is known of them, and how they are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from app.domain.call.request import InferenceRequest
from app.domain.capacity.capacity import Place
from app.domain.capacity.demand import Load
from app.domain.capacity.room import Room
from app.domain.routing.deployment import Deployment


class HoldBoard(Protocol):
    """Until when each deployment asked not to be asked; shared by all replicas."""

    def holds(self) -> Mapping[str, float]:
        """By deployment, the end of its hold on this process's monotonic clock."""
        ...

    def hold(self, deployment: str, until: float) -> None:
        """Hold a deployment; a longer hold that is known stays. Told to other replicas at once."""
        ...


class Capacity(Protocol):
    """What deployments have room for, as far as it can be told from outside; shared by replicas.

    Times are on the clock of whoever asks. Nothing waits.
    """

    def rooms(self, names: Iterable[str], load: Load, now: float) -> Mapping[str, Room]:
        """By deployment, when there is room; nothing of those that nothing is known of."""
        ...

    def take(self, deployment: str, load: Load, now: float) -> Place | None:
        """Take what a request may need that is sent now; None where nothing is counted."""
        ...


class ResponseOwners(Protocol):
    """Which deployment holds what a tenant has stored: a response, or an item that one made."""

    async def owner(self, tenant: str, stored_id: str) -> str | None:
        """The deployment's name; None if the tenant has stored nothing of that id.

        Raises StoreUnavailable where that cannot be told.
        """
        ...

    async def claim(self, tenant: str, stored_id: str, deployment: str) -> None:
        """Remember the owner. Never raises: a lost claim costs a later 404, not this answer."""
        ...

    async def forget(self, tenant: str, stored_id: str) -> None:
        """Have what was deleted no owner any more; other replicas may take a while.

        Never raises: who is asked for it says that it is gone.
        """
        ...


class UpstreamResponse(Protocol):
    """An upstream's answer, its body still to be read."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case."""
        ...

    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body, as they come; empty at its end.

        Raises TimeoutError after `patience_s` seconds of silence (reading may then go on),
        UpstreamTimeout at the end of the whole call's time, UpstreamDisconnected when the
        connection broke first, UpstreamProtocolError for a body that is not what its headers say.
        """
        ...

    def whole(self) -> bytes | None:
        """What is left of the body, where all of it is here; None: it has to be read.

        With all of it here its connection is let go of: there is nothing to close.
        """
        ...

    async def pour(self, take: Callable[[bytes], bool], patience_s: float) -> bool:
        """Hand `take` what comes, when it comes, until it wants no more; False at the body's end.

        What it was handed it has, also the last, and it may raise. Raises what `read` does;
        `patience_s` is for each silence.
        """
        ...

    def close(self) -> None:
        """Let go of the connection; an unread body ends it, so that the upstream stops working."""
        ...


class Upstream(Protocol):
    """All deployments, reachable: URLs, credentials and connections are its business."""

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> UpstreamResponse:
        """Send a request and return once the answer's headers are here; the caller closes it.

        Raises UpstreamUnreachable, UpstreamDisconnected, UpstreamTimeout, UpstreamProtocolError,
        UpstreamMisconfigured for a URL, header or credential that cannot be used, and Overloaded
        where this machine has nothing left to ask with.
        """
        ...
