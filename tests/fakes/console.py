"""The console over the admin API's house in memory, and browsers that are signed in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
from fastapi import FastAPI

from app.api.admin.application import create_admin
from app.api.console.application import create_console
from app.api.console.frame import COOKIE
from app.api.console.services import ConsoleServices
from app.domain.identity.directory import Actor, Change, EntryKind, KeyEntry, Role, TenantEntry
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.limit import LimitName, LimitRule
from tests.fakes.accounts import FakeAccounts
from tests.fakes.admin import OWNER_KEY, AdminHouse
from tests.fakes.changed import replace

BASE = "http://admin/console"
_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')

METRICS = """\
# HELP llm_requests_total Requests
# TYPE llm_requests_total counter
llm_requests_total{model="gpt-4o",tenant="search",status="200"} 40
llm_requests_total{model="gpt-4o",tenant="other",status="429"} 2
llm_cost_dollars_total{model="gpt-4o",tenant="search"} 1.25
llm_spill_total{model="gpt-4o",reason="predicted"} 3
llm_ptu_utilization_ratio{deployment="ptu"} 0.75
llm_ptu_reported_utilization_ratio{deployment="ptu"} 0.8
llm_ptu_share_ratio{deployment="ptu",tenant="search"} 0.4
llm_ptu_share_ratio{deployment="ptu",tenant="other"} 0.6
llm_cache_requests_total{result="exact"} 4
llm_cache_requests_total{result="miss"} 6
"""


@dataclass(slots=True)
class RecentLedger:
    """The ledger's end, as a test says it is."""

    rows: list[LedgerRow] = field(default_factory=list)

    def look(self) -> Sequence[LedgerRow]:
        return self.rows


@dataclass(slots=True)
class Browser:
    """A client with cookies, which sends forms with the token of its session."""

    client: httpx2.AsyncClient
    token: str = ""

    async def get(self, path: str, **more: Any) -> httpx2.Response:
        """A page."""
        return await self.client.get(BASE + path, **more)

    async def part(self, path: str) -> httpx2.Response:
        """A page's live part, as htmx asks for it."""
        return await self.client.get(BASE + path, headers={"hx-request": "true"})

    async def post(
        self, path: str, fields: Mapping[str, Any] | None = None, **more: Any
    ) -> httpx2.Response:
        """A form of a page of this session."""
        sent = {"csrf": self.token, **(fields or {})}
        return await self.client.post(BASE + path, data=sent, **more)

    async def sign_in(self, key: str, **more: Any) -> httpx2.Response:
        """With this key, by the page's form; the next forms bear the new session's token."""
        form = {"csrf": await self.token_to_sign_in(), "key": key}
        answer = await self.client.post(self._base() + "/sign-in", data=form | more)
        if answer.status_code == 303:
            found = _TOKEN.search((await self.get("/")).text)
            self.token = found[1] if found else ""
        return answer

    async def token_to_sign_in(self) -> str:
        """Of the page's form."""
        found = _TOKEN.search((await self.client.get(self._base() + "/sign-in")).text)
        return found[1] if found else ""

    def _base(self) -> str:
        return f"{self.client.base_url}".rstrip("/") + "/console"

    @property
    def cookie(self) -> str:
        """The session's id."""
        return self.client.cookies.get(COOKIE) or ""


@dataclass(slots=True)
class ConsoleHouse:
    """All parts of it, to be looked at and changed."""

    house: AdminHouse = field(default_factory=AdminHouse)
    recent: RecentLedger = field(default_factory=RecentLedger)
    metrics: str = METRICS
    data_url: str = "http://127.0.0.1:9"
    accounts: FakeAccounts = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = FakeAccounts(self.house.clock)

    def app(self, services: ConsoleServices | None = None) -> FastAPI:
        """The admin plane's application, with the console; of these parts or of others."""
        services = services or self.services()
        return create_admin(services.admin, partial(create_console, services))

    def services(self) -> ConsoleServices:
        """These parts as the console takes them."""
        admin = replace(self.house.services(), metrics=self.page)
        return ConsoleServices(admin, self.accounts, self.recent, lambda: self.data_url)

    async def page(self, accept: str) -> tuple[str, bytes]:
        """What `/metrics` answers with."""
        return "text/plain", self.metrics.encode()

    @asynccontextmanager
    async def browser(
        self, key: str | None = OWNER_KEY, *, app: FastAPI | None = None, scheme: str = "http"
    ) -> AsyncIterator[Browser]:
        """One that is signed in, unless without a key."""
        transport = httpx2.ASGITransport(app or self.app(), raise_app_exceptions=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url=f"{scheme}://admin", follow_redirects=False
        ) as client:
            browser = Browser(client)
            if key is not None:
                await browser.sign_in(key)
            yield browser


async def crowded(house: ConsoleHouse, tenants: int, keys: int) -> None:
    """So many tenants with three limits each, and so many keys among them."""
    await house.house.store.change(list(_changes(tenants, keys)), Actor("x", Role.OWNER))


def _changes(tenants: int, keys: int) -> Iterator[Change]:
    limits = tuple(LimitRule(name, 100) for name in (LimitName.RPM, LimitName.TPM, LimitName.RPS))
    names = [f"tenant-{number:04}" for number in range(tenants)]
    for name in names:
        entry = TenantEntry(name, limits=limits, tags={"team": name})
        yield Change(EntryKind.TENANT, name, entry)
    for number in range(keys):
        key_id = f"key{number:07}"
        key = KeyEntry(key_id, names[number % tenants], "00" * 32, name=f"app {number}")
        yield Change(EntryKind.KEY, key_id, key)
