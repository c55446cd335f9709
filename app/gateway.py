"""One request, top to bottom.

    authenticate → read → find its owner → police → admit → cache → route → upstream → relay
    → settle → observe

Each line below is a stage; stages know nothing of each other, and this page says why each stands
where it does. Before the first byte to the client, what goes wrong is raised and rendered by the
HTTP layer; after it, the relay ends the stream honestly.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.cohort import Cohort
from app.domain.call.request import Route
from app.domain.identity.tenant import Principal
from app.domain.ledger.completion import Receipt
from app.observation import Observation
from app.ports import Call, Clock, Reply
from app.stages import catalogue, own_account
from app.stages.admission import Admission
from app.stages.authentication import Authentication
from app.stages.caching import Caching
from app.stages.catalogue import Catalogue
from app.stages.own_account import OwnAccount
from app.stages.ownership import Ownership
from app.stages.policies import Policies
from app.stages.relay import Relay
from app.stages.routing import Routing
from app.stages.settlement import Settlement
from app.stages.telemetry import Telemetry
from app.stages.upstream import Upstreams
from app.wire.openai import read_request
from app.wire.tags import request_tags

#: What no upstream is asked for.
_ANSWERED_HERE: Final = catalogue.OPERATIONS | own_account.OPERATIONS


class Gateway(msgspec.Struct, frozen=True):
    """The stages of one configuration snapshot; a request runs on the snapshot it started with."""

    clock: Clock
    cohort: Cohort
    telemetry: Telemetry
    settlement: Settlement
    authentication: Authentication
    catalogue: Catalogue
    own_account: OwnAccount
    ownership: Ownership
    policies: Policies
    admission: Admission
    caching: Caching
    routing: Routing
    upstreams: Upstreams
    relay: Relay
    max_json_depth: int

    async def handle(self, call: Call, reply: Reply) -> Receipt:
        """Serve one call. Raises SpillgateError where the client has not been sent a byte."""
        observation = Observation(call, self.clock)
        # Outermost, so that whatever happens below is settled first and then seen.
        with self.telemetry.observed(observation):
            async with self.settlement.settled(observation, reply):
                await self._serve(call, reply, observation)
        return observation.receipt

    async def _serve(self, call: Call, reply: Reply, observation: Observation) -> None:
        route = observation.route = call.route
        # Before the body is read: a stranger costs us one set of headers.
        observation.enter("authenticate")
        principal = observation.principal = await self.authentication.principal(call.headers)
        observation.tags = request_tags(call.headers)
        if route.operation in _ANSWERED_HERE:
            observation.enter("answer")
            await self._answer(principal, route, reply)
            return
        observation.enter("read")
        body = await call.body()
        request = observation.request = read_request(route, body, max_depth=self.max_json_depth)
        # Before anything is taken: who lets others come as far keeps nothing from them.
        await self.cohort.gathered(request)
        # Before routing: a stored response lives on one deployment, and only there.
        owner = await self.ownership.owner(principal, request)
        # Who may serve at all, by which policies and prices go; who is asked is planned below.
        choices = self.routing.choices(principal, request, owner)
        # Before anything is taken: what its policy refuses costs a tenant nothing.
        await self.policies.check(principal, request, choices, observation)
        # Before anything is asked of an upstream; settlement, outside, ends the reservation.
        observation.enter("admit")
        await self.admission.admit(principal, request, choices, observation)
        # After admission: a hit is a request for the quota. What is answered inside may be kept.
        observation.enter("cache")
        async with self.caching.consulted(
            principal, request, call.headers, observation
        ) as consulted:
            if consulted.hit is not None:
                observation.enter("replay")
                await self.caching.replay(consulted.hit, request, reply, observation)
                observation.answered()
                return
            observation.enter("route")
            # Not between plan and upstream: whoever was told of room shall find it.
            await self.cohort.gathered(request)
            plan = await self.routing.plan(principal, request, choices, observation)
            observation.enter("upstream")
            async with self.upstreams.answer(plan, request, call.headers, observation) as answer:
                # Before the first byte: with it the client learns the id and may come back at once.
                await self.ownership.claim(principal, answer)
                await self.relay.pass_on(answer, consulted.recorded(reply), observation)
                observation.answered()

    async def _answer(self, principal: Principal, route: Route, reply: Reply) -> None:
        if route.operation in catalogue.OPERATIONS:
            await self.catalogue.answer(principal, route, reply)
        else:
            await self.own_account.answer(principal, reply)
