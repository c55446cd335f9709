"""Upstreams that answer when they are told to, so that several can be under way at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Deployment
from app.ports import UpstreamResponse
from tests.fakes.clock import FakeClock
from tests.fakes.upstream import Script, ScriptedUpstream


class GatedUpstream:
    """A ScriptedUpstream whose deployments wait for their gates; knows who was given up."""

    def __init__(self, clock: FakeClock) -> None:
        self.scripted = ScriptedUpstream(clock)
        self.given_up: list[str] = []
        self._gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._asked: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def __call__(self, deployment: str) -> Script:
        """The script of a deployment."""
        return self.scripted(deployment)

    @property
    def names(self) -> list[str]:
        """The deployments that were asked, in that order."""
        return self.scripted.names

    def let(self, *deployments: str) -> None:
        """They answer from now on."""
        for name in deployments:
            self._gates[name].set()

    async def is_asked(self, deployment: str) -> None:
        """Wait until it is."""
        await self._asked[deployment].wait()

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> UpstreamResponse:
        """The port's."""
        self._asked[deployment.name].set()
        try:
            await self._gates[deployment.name].wait()
        except asyncio.CancelledError:
            self.given_up.append(deployment.name)
            raise
        return await self.scripted.open(deployment, request, headers)

    def __repr__(self) -> str:
        return f"<GatedUpstream asked {sorted(self._asked)}, given up {self.given_up}>"
