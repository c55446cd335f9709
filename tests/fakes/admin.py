"""The admin API over a directory and a ledger in memory, with a key for each role."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

import httpx2
from fastapi import FastAPI

from app.adapters.wrong_hits import ToldWrong
from app.api.admin.application import create_admin
from app.api.admin.deployments import CapacityView, DeploymentList, Live, list_deployments
from app.api.admin.services import AdminServices, CacheServices
from app.api.readiness import Readiness
from app.domain.billing.rules import BillingRules
from app.domain.cache.outcome import CacheResult
from app.domain.explain.explanation import CachedRecord, Explanation
from app.domain.identity.api_key import ApiKey, digest, mint
from app.domain.identity.directory import AdminEntry, AuditRecord, KeyEntry, Role, TenantEntry
from app.domain.ledger.completion import Outcome
from app.domain.routing.deployment import Api, Deployment, Fleet, Kind, Target
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.directory import FakeDirectoryStore
from tests.fakes.ledger import FakeUsageReader
from tests.fakes.measured_errors import FakeMeasuredErrors
from tests.fakes.planner import FakePlanner
from tests.fakes.remembered_answers import RememberedAnswers

PEPPER = b"pepper-of-the-tests"
OWNER_KEY = "owner-key-of-the-tests"
MODELS = ("gpt-4o", "gpt-4o-mini")


def _deployment(name: str, region: str = "", data_zone: str = "") -> Deployment:
    kind = Kind.PTU if name == "ptu" else Kind.PAYGO
    return Deployment(
        name, kind, "https://x.example", Api.V1, name, "gpt-4o", region=region, data_zone=data_zone
    )


FLEET = Fleet(
    {
        "ptu": _deployment("ptu", "eastus", "us"),
        "paygo": _deployment("paygo", "swedencentral", "eu"),
        "anywhere": _deployment("anywhere"),
    },
    {"gpt-4o": ((Target("ptu"),), (Target("paygo", 2.0), Target("anywhere")))},
)
CAPACITIES = {"ptu": CapacityView(ptus=50), "paygo": CapacityView(tpm=450_000, rpm=2700)}


def key_text(number: int) -> str:
    """A well-formed key, another one for each number."""
    secret = number.to_bytes(32, "big")
    return mint(environment="live", id_bytes=number.to_bytes(8, "big"), secret_bytes=secret)


def _kept(text: str) -> dict[str, Any]:
    key = ApiKey.parse(text)
    assert key is not None
    return {"id": key.id, "digest": digest(PEPPER, text).hex(), "last4": key.last4}


def admin_entry(text: str, role: Role, **fields: Any) -> AdminEntry:
    """What is kept of an administrator's key."""
    return AdminEntry(role=role, **_kept(text), **fields)


def key_entry(text: str, tenant: str, **fields: Any) -> KeyEntry:
    """What is kept of a tenant's key."""
    return KeyEntry(tenant=tenant, **_kept(text), **fields)


ADMIN_KEYS = {
    Role.OWNER: key_text(1),
    Role.OPERATOR: key_text(2),
    Role.TENANT_ADMIN: key_text(3),
    Role.VIEWER: key_text(4),
}
SEARCH_KEY, OTHER_KEY = key_text(11), key_text(12)
SEARCH_KEY_ID, OTHER_KEY_ID = _kept(SEARCH_KEY)["id"], _kept(OTHER_KEY)["id"]
VIEWER_ID = _kept(ADMIN_KEYS[Role.VIEWER])["id"]


def house_entries() -> list[TenantEntry | KeyEntry | AdminEntry]:
    """Tenants `search` and `other` with a key each, and an administrator of each role."""
    admins = [
        admin_entry(text, role, tenant="search" if role is Role.TENANT_ADMIN else None)
        for role, text in ADMIN_KEYS.items()
    ]
    tenants = [TenantEntry("search"), TenantEntry("other")]
    return [*tenants, key_entry(SEARCH_KEY, "search"), key_entry(OTHER_KEY, "other"), *admins]


def _explanations() -> dict[str, list[Explanation]]:
    """One request of each tenant, named for it."""
    return {
        f"req-{tenant}": [
            Explanation(
                f"req-{tenant}",
                7.0,
                0.5,
                Outcome.FINISHED,
                tenant,
                cache=CachedRecord(CacheResult.EXACT, fingerprint="ab" * 16),
            )
        ]
        for tenant in ("search", "other")
    }


def _random_bytes() -> Iterator[int]:
    return count(1000)


class StandingApplication:
    """One application for many houses: to make it takes longer than most tests of it.

    It serves the house that moved in last. Each comes an hour after the one before it, so that
    wrong keys of one test are none of the next.
    """

    def __init__(self) -> None:
        """Made when it is first asked for."""
        self._services: Any = None
        self._hours = 0

    def move_in(self, house: AdminHouse) -> AdminHouse:
        """It is the one that is served from now on."""
        self._hours += 1
        house.standing = self
        return house

    def app(self, house: AdminHouse) -> FastAPI:
        """The application, with the parts that the house has now."""
        self._services = house.services()
        return self._made

    @cached_property
    def _made(self) -> FastAPI:
        return create_admin(cast("AdminServices", self))

    @property
    def readiness(self) -> Any:
        """Kept by a route when it is made."""
        return SimpleNamespace(status=self._status)

    @property
    def authentication(self) -> Any:
        """Kept by every route."""
        return SimpleNamespace(authenticate=self._authenticate)

    @property
    def clock(self) -> Any:
        """Its `now` is kept by what counts wrong keys."""
        return SimpleNamespace(now=self._now, unix=self._services.clock.unix)

    def _status(self, path: str) -> Any:
        return self._services.readiness.status(path)

    def _authenticate(self, given: str, request_id: str) -> Any:
        return self._services.authentication.authenticate(given, request_id)

    def _now(self) -> float:
        return float(self._services.clock.now() + self._hours * 3600)

    def __getattr__(self, name: str) -> Any:
        """All that routes ask for at each request."""
        return getattr(self._services, name)


@dataclass(slots=True)
class AdminHouse:
    """All parts of it, to be looked at and changed."""

    store: FakeDirectoryStore = field(default_factory=lambda: FakeDirectoryStore(house_entries()))
    ledger: FakeUsageReader = field(default_factory=FakeUsageReader)
    clock: FakeClock = field(default_factory=FakeClock)
    readiness: Readiness = field(default_factory=Readiness)
    owner_key: str | None = OWNER_KEY
    numbers: Iterator[int] = field(default_factory=_random_bytes)
    audit_copy: list[AuditRecord] = field(default_factory=list)
    explanations: dict[str, list[Explanation]] = field(default_factory=_explanations)
    live: Live = field(default_factory=lambda: Live(0.0, 0.0))
    billing: BillingRules = field(default_factory=BillingRules)
    planner: FakePlanner = field(default_factory=FakePlanner)
    standing: StandingApplication | None = None
    forgotten: list[str] = field(default_factory=list)
    kept: RememberedAnswers = field(init=False)
    errors: FakeMeasuredErrors = field(init=False)

    def __post_init__(self) -> None:
        self.kept = RememberedAnswers(self.clock)
        self.errors = FakeMeasuredErrors(self.clock)

    def services(self) -> AdminServices:
        """These parts as the application takes them."""
        return AdminServices(
            store=self.store,
            pepper=lambda: PEPPER,
            usage=self.ledger,
            owner_key=lambda: self.owner_key,
            clock=self.clock,
            randomness=lambda length: next(self.numbers).to_bytes(length, "big"),
            deployments=self.deployments,
            readiness=self.readiness,
            explanations=self,
            cache=self.cache(),
            planner=self.planner,
            forget_responses=self.forget_responses,
            models=lambda: MODELS,
            audit_end=self.store.audit_end,
            audit_copy=lambda: self.audit_copy,
            billing=lambda: self.billing,
        )

    async def forget_responses(self, tenant: str) -> None:
        """Note whose stored responses are forgotten."""
        self.forgotten.append(tenant)

    def cache(self) -> CacheServices:
        """What looks after kept answers."""
        wrong_hits = ToldWrong(self.kept, self, lambda: self.errors)
        return CacheServices(self.kept, wrong_hits, lambda: self.errors)

    def deployments(self) -> DeploymentList:
        """As a process would list them."""
        now, unix = self.clock.now(), self.clock.unix()
        operations = self.store.current.deployments
        live = replace(self.live, now=now, unix=unix, operations=operations)
        return list_deployments(FLEET, CAPACITIES, live)

    async def find(self, request_id: str, tenants: Iterable[str]) -> Explanation | None:
        """As the port says."""
        seen = set(tenants)
        found = self.explanations.get(request_id, [])
        latest = [each for each in found if each.tenant in seen]
        return max(latest, key=lambda each: each.at, default=None)

    def app(self) -> FastAPI:
        """The application: its own, unless it moved into one."""
        return self.standing.app(self) if self.standing else create_admin(self.services())

    @asynccontextmanager
    async def client(
        self, key: str | None = OWNER_KEY, *, app: FastAPI | None = None
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A client that shows a key; of the application unless another is given."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        transport = httpx2.ASGITransport(app or self.app(), raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://admin/admin/v1", headers=headers
        ) as client:
            yield client
