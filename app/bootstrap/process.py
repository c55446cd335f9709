"""A gateway of this process: the configuration in force, and what a reload puts in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from app.adapters.drawn_ids import DrawnIds
from app.adapters.logs.control import LogControl
from app.api.call import DataPlaneLimits
from app.api.data_plane import DataPlane
from app.api.readiness import Readiness
from app.api.request_id import PREFIX
from app.bootstrap.caching import false_hit_bound
from app.bootstrap.gateway import Resources, Snapshot, snapshot
from app.bootstrap.restart import waiting_for_restart
from app.bootstrap.secrets import secrets_in
from app.bootstrap.state import State
from app.bootstrap.values import base_models
from app.domain.routing.deployment import Fleet
from app.domain.routing.health import State as HealthState
from app.settings import Settings

if TYPE_CHECKING:
    # Workers answer no admin; `deployments` and `_live` import what they use.
    from app.api.admin.deployments import DeploymentList, Live
    from app.api.certificate import Certificate

_log = structlog.get_logger()


@dataclass(slots=True)
class FileInForce:
    """The configuration file that is in force: its SHA-256, and whether it is the one in place."""

    digest: bytes = b""
    is_last: bool = True
    content: bytes = field(default=b"", repr=False)


class Listening(Protocol):
    """A listener's connections of clients."""

    @property
    def connections(self) -> int:
        """Those that are open."""
        ...

    @property
    def refused_total(self) -> int:
        """Connections that were not let in."""
        ...


class Process:
    """A gateway that serves; `current` is replaced by a reload."""

    def __init__(
        self, first: Snapshot, resources: Resources, state: State, logs: LogControl
    ) -> None:
        """`state` and `logs` follow the configuration."""
        self.resources = resources
        self.logs = logs
        self._put_in_force(first)
        self._state = state
        self.readiness = Readiness()
        self.data_url = ""
        self.admin_url = ""
        self.certificates: dict[str, Certificate] = {}  # by the listener's name
        self.listeners: dict[str, Listening] = {}  # by name: data, admin
        self.data_plane = DataPlane(
            lambda: self.current.gateway,
            self.readiness,
            lambda: self._limits,
            DrawnIds(PREFIX),
        )
        self.generation = 1
        self.serves = True
        #: What those that serve think of deployments; None: what this process thinks.
        self.healths: Callable[[], Mapping[str, HealthState]] | None = None
        self.file: FileInForce | None = None
        self._started_with = first.settings
        self._turn = asyncio.Lock()
        resources.cached.by_meaning.changed.clear()  # the first snapshot has what there is

    async def reload(self, settings: Settings) -> None:
        """Swap in a new snapshot; requests under way end on the one they started with.

        Reloads take turns in the order they were asked for. One that raises leaves the snapshot as
        it is; tenants and keys of its settings may have been seeded.
        """
        self.logs.know(secrets_in(settings))  # before anything can go wrong with them
        for each in self.certificates.values():
            await asyncio.to_thread(each.look, at_once=True)
        async with self._turn:
            following = await snapshot(settings, self.resources)
            await self._state.follow(settings)
            if self.serves:  # not in the first request's time
                await asyncio.to_thread(self.resources.estimator.warm, base_models(following.fleet))
            self._put_in_force(following)
            self.generation += 1
        _log.info("config reloaded", deployments=len(settings.deployments))
        opened_with = self.resources.cached.by_meaning.opened_with
        if waiting := waiting_for_restart(self._started_with, settings, opened_with):
            _log.warning("config waits for the next start", settings=waiting)

    async def keep_renewing(self) -> None:
        """Put a snapshot of the same settings in force whenever the cache can do more, or less."""
        changed = self.resources.cached.by_meaning.changed
        while True:
            await changed.wait()
            changed.clear()
            try:
                async with self._turn:
                    settings = self.current.settings
                    self._put_in_force(await snapshot(settings, self.resources))
            except Exception:
                changed.set()  # for whoever begins this again
                raise

    def _put_in_force(self, following: Snapshot) -> None:
        resources = self.resources
        self.current = following
        self._limits = _limits(following.settings)
        self.logs.rules = following.settings.logs
        resources.cached.own.current = following.errands
        resources.cached.by_meaning.settings = following.settings
        if resources.cached.meaning is not None:
            bound = false_hit_bound(following.settings, resources.keys.tenants)
            resources.cached.meaning.measured.errors.bound = bound

    def healths_here(self) -> Mapping[str, HealthState]:
        """What this process thinks of deployments."""
        now, health = self.resources.clock.now(), self.resources.health
        return {name: health.state(name, now) for name in self.current.fleet.deployments}

    def deployments(self) -> DeploymentList:
        """What the admin API lists."""
        from app.api.admin.deployments import CapacityView, list_deployments  # noqa: PLC0415

        settings, fleet = self.current.settings, self.current.fleet
        capacities = {
            name: CapacityView(ptus=each.ptus, tpm=each.tpm, rpm=each.rpm)
            for name, each in settings.deployments.items()
        }
        live = _live(fleet, self.resources)
        if self.healths is not None:
            live = replace(live, health=self.healths())
        return list_deployments(fleet, capacities, live)


def _live(fleet: Fleet, resources: Resources) -> Live:
    from app.api.admin.deployments import Live  # noqa: PLC0415

    now, names = resources.clock.now(), fleet.deployments
    return Live(
        now=now,
        unix=resources.clock.unix(),
        holds=resources.holds.holds(),
        utilizations=resources.capacity.utilizations(now),
        lowered_tpm={name: each.tpm for name, each in resources.capacity.lowered(now).items()},
        health={name: resources.health.state(name, now) for name in names},
        shares={name: resources.capacity.parts(name, now) for name in names},
        operations=resources.directory.current.deployments,
    )


def _limits(settings: Settings) -> DataPlaneLimits:
    return DataPlaneLimits(
        max_body=settings.limits.max_body_bytes,
        body_s=settings.timeouts.body_s,
        write_stall_s=settings.timeouts.write_stall_s,
        max_in_flight=settings.limits.max_in_flight,
    )
