"""`spillgate latency`: deployments of a config asked directly, with their own credentials."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import uvloop

from app.adapters.clock import SystemClock
from app.bootstrap.direct import asked_directly
from app.bootstrap.prices import price_table
from app.bootstrap.simulation import pointed_at, simulated_deployments
from app.bootstrap.values import fleet_of
from app.cli.latency import Asked
from app.domain.call.tokens import TokenCounter
from app.domain.routing.deployment import Deployment
from app.planner.latency.cost import Cost, costs
from app.planner.latency.measuring import Tell, measure
from app.planner.latency.plan import Plan, Turn
from app.planner.latency.probe import Probe
from app.planner.latency.question import Questions
from app.planner.latency.sample import Sample
from app.settings import Settings, environment, load, load_catalog
from app.simulator.server import serve_simulator


def latency(asked: Asked) -> Comparison:
    """A comparison that is ready to begin.

    Raises ConfigProblems for the config's mistakes, ValueError for deployments that cannot be
    compared.
    """
    settings = load(asked.config, environment())
    fleet = fleet_of(settings, load_catalog())
    for name in asked.plan.deployments:
        _refuse_unusable(name, fleet.deployments, asked.plan)
    return Comparison(asked, settings)


class Comparison:
    """Deployments that are asked in turns once it runs."""

    def __init__(self, asked: Asked, settings: Settings) -> None:
        """Nothing is opened yet."""
        self._asked = asked
        self._settings = settings

    @property
    def costs(self) -> tuple[Cost, ...]:
        """The most that it costs; nothing where all is simulated."""
        if self._asked.simulate:
            return ()
        catalog = load_catalog()
        deployments = fleet_of(self._settings, catalog).deployments
        prices = price_table(self._settings, catalog)
        return costs(self._asked.plan, deployments, prices, SystemClock().unix())

    def run(self, tell: Tell) -> None:
        """Ask everything, and tell of each request as it ends. Raises OSError."""
        uvloop.run(self._run(tell))

    async def _run(self, tell: Tell) -> None:
        plan = self._asked.plan
        counter = TokenCounter()
        counter.warm()
        questions = Questions(plan, counter.count, secrets.token_hex(4))
        async with self._deployments() as settings, asked_directly(settings) as upstream:
            probe = Probe(upstream, SystemClock())
            deployments = fleet_of(settings, load_catalog()).deployments

            async def ask(turn: Turn) -> Sample:
                deployment = deployments[turn.deployment]
                return await probe.ask(deployment, questions.ask(deployment, turn.number))

            await measure(plan, ask, tell)

    @asynccontextmanager
    async def _deployments(self) -> AsyncIterator[Settings]:
        """The settings, pointed at a simulator if asked; only what is compared is in them."""
        names = self._asked.plan.deployments
        compared = {name: self._settings.deployments[name] for name in names}
        settings = self._settings.model_copy(update={"deployments": compared, "models": {}})
        if not self._asked.simulate:
            yield settings
            return
        deployments = simulated_deployments(settings, load_catalog())
        async with serve_simulator(deployments, seed=settings.simulator.seed) as url:
            yield pointed_at(settings, url)


def _refuse_unusable(name: str, deployments: Mapping[str, Deployment], plan: Plan) -> None:
    deployment = deployments.get(name)
    if deployment is None:
        known = ", ".join(sorted(deployments))
        raise ValueError(f"no deployment {name!r} in the config; there are: {known}")
    if "embedding" in deployment.model:
        raise ValueError(f"deployment {name!r}: {deployment.model} embeds, it writes no tokens")
    window, wanted = deployment.context_window, plan.prompt_tokens + plan.output_tokens
    if window is not None and window < wanted:
        told = f"its context window of {window} tokens is less than the {wanted} of a request"
        raise ValueError(f"deployment {name!r}: {told}")
