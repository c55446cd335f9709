"""Whatever a tenant, a key, a model or a prompt is called: it is text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote

import pytest

from app.api.admin.deployments import DeploymentList
from app.api.admin.services import CacheServices
from app.domain.cache.kept import KeptAnswer, KeptPage, KeptTotals, Selection
from app.domain.cache.measured import MeasuredError
from app.domain.cache.outcome import CacheResult
from app.domain.call.request import Operation
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import (
    AttemptRecord,
    CachedRecord,
    CandidateRecord,
    Explanation,
    LimitRecord,
    ReservedRecord,
    SkipRecord,
)
from app.domain.identity.directory import Actor, Change, EntryKind, Role, TenantEntry
from app.domain.ledger.completion import Outcome
from app.domain.quota.limit import LimitName, LimitRule
from app.domain.routing.attempt import Verdict
from tests.fakes.admin import OWNER_KEY, key_entry, key_text
from tests.fakes.changed import replace
from tests.fakes.console import METRICS, Browser, ConsoleHouse
from tests.fakes.ledger_rows import ledger_row

#: Leaves attributes of either quote, elements, comments and scripts; and is a template's own code.
EVIL = """x'"></script></textarea><xss-probe onprobe="1">{{7777*7777}}<!--"""
#: The same as a name in a path, which a slash would end.
NAME = EVIL.replace("/", "")
#: The same where braces are metrics' own.
LABEL = EVIL.replace("\\", "").replace('"', '\\"')


class Found(HTMLParser):
    """What a browser would make elements and attributes of."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.comments = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_comment(self, data: str) -> None:
        self.comments += 1


@dataclass(slots=True)
class EvilCache:
    """Kept answers, and what was measured of them, with such names."""

    selections: list[Selection] = field(default_factory=list)

    async def evict(self, tenant: str, selection: Selection) -> int:
        self.selections.append(selection)
        return 1

    async def entries(self, tenant: str, cursor: str, limit: int) -> KeptPage:
        answer = KeptAnswer(
            b"\1" * 16, EVIL, EVIL, next(iter(Operation)), 1.0, 2.0, 3, by_meaning=True, prompt=EVIL
        )
        return KeptPage((answer,), EVIL)

    async def totals(self, tenant: str) -> KeptTotals:
        return KeptTotals(1, 2)

    async def listed(self, tenant: str) -> list[MeasuredError]:
        return [MeasuredError(tenant, EVIL, 1, 1, 0, 0.5, 0.1, 0.9, 0.05, 0.1)]


def explanation(request_id: str, tenant: str) -> Explanation:
    """One with such names wherever there can be any."""
    return Explanation(
        request_id,
        7.0,
        0.5,
        Outcome.FINISHED,
        tenant,
        error=EVIL,
        key_id=EVIL,
        model=EVIL,
        deployment=EVIL,
        flags=(EVIL,),
        cache=CachedRecord(CacheResult.EXACT, reason=EVIL, fingerprint=EVIL, source=EVIL),
        candidates=(CandidateRecord(EVIL, 0),),
        skipped=(SkipRecord(EVIL, 0, SpillReason.HELD),),
        attempts=(AttemptRecord(EVIL, 0, Verdict.THROTTLED, 0.0, 0.1, status=429, code=EVIL),),
        reserved=ReservedRecord(limits=(LimitRecord(LimitName.RPM, EVIL, 5, 4),)),
    )


async def evil_house() -> ConsoleHouse:
    """One where everything that somebody can name is named so."""
    house = ConsoleHouse()
    limits = (LimitRule(LimitName.RPM, 5, key_id=EVIL, model=EVIL),)
    tags = {EVIL: EVIL}
    tenant = TenantEntry(NAME, models=(EVIL,), tags=tags, limits=limits)
    seen = replace(tenant, name="search", version=2)
    key = key_entry(key_text(77), NAME, name=EVIL, tags=tags, models=(EVIL,))
    changes = [
        Change(EntryKind.TENANT, NAME, tenant),
        Change(EntryKind.TENANT, "search", seen),
        Change(EntryKind.KEY, key.id, key),
    ]
    await house.house.store.change(changes, Actor(EVIL, Role.OWNER, EVIL))
    names = {"request_id": EVIL, "model": EVIL, "deployment": EVIL, "error": EVIL, "outcome": EVIL}
    words = {"spill": EVIL, "cache": EVIL, "tags": tags, "day": EVIL, "status": 500}
    now = house.house.clock.unix()
    house.recent.rows = [
        ledger_row("1", tenant=tenant, at=now, **{**names, **words, "deployment": deployment})
        for tenant, deployment in ((EVIL, EVIL), ("search", "ptu"), (EVIL, "ptu"))
    ]
    house.house.ledger.recorded = list(house.recent.rows)
    house.house.explanations[EVIL] = [explanation(EVIL, "search")]
    house.house.explanations["req-search"] = [explanation("req-search", "search")]
    house.metrics = METRICS + "".join(
        f"{family}{{{labels}}} 5\n"
        for family, labels in {
            "llm_requests_total": f'model="{LABEL}",tenant="{LABEL}",status="200"',
            "llm_cost_dollars_total": f'model="{LABEL}",tenant="{LABEL}"',
            "llm_spill_total": f'model="{LABEL}",reason="{LABEL}"',
            "llm_spill_cost_dollars_total": f'tenant="{LABEL}"',
            "llm_class_requests_total": f'class="{LABEL}",spill="{LABEL}"',
            "llm_throttles_total": f'deployment="{LABEL}",reason="{LABEL}"',
            "llm_deployment_hold_seconds": f'deployment="{LABEL}"',
            "llm_ptu_utilization_ratio": f'deployment="{LABEL}"',
            "llm_ptu_share_ratio": f'deployment="ptu",tenant="{LABEL}"',
            "spillgate_dependency_up": f'dependency="{LABEL}"',
        }.items()
    ).replace('spillgate_dependency_up{dependency="' + LABEL + '"} 5', _down())
    return house


def _down() -> str:
    return f'spillgate_dependency_up{{dependency="{LABEL}"}} 0'


def evil_deployments(house: ConsoleHouse) -> DeploymentList:
    """Those of the house, and one that is named so."""
    found = house.house.deployments().data
    names = {"name": NAME, "model": EVIL, "region": EVIL, "data_zone": EVIL}
    return DeploymentList(data=[*found, found[0].model_copy(update=names)])


PATHS = (
    "/",
    "/ptu",
    "/spill",
    "/tenants",
    f"/tenants?q={quote(EVIL)}",
    "/tenants/search",
    f"/tenants/{quote(NAME, safe='')}",
    "/new-tenant",
    "/keys",
    f"/keys?q={quote(EVIL)}&tenant={quote(EVIL)}",
    "/deployments",
    f"/deployments/{quote(NAME, safe='')}",
    "/requests",
    f"/requests?tenant={quote(EVIL)}&key_id={quote(EVIL)}",
    f"/requests/{quote(EVIL, safe='')}",
    "/requests/req-search",
    "/cache",
    "/cache/search",
    "/audit",
    "/playground",
    f"/nothing/{quote(EVIL, safe='')}",
    f"/sign-in?next={quote(EVIL)}",
)


def check(page: str, path: str) -> None:
    """Nothing of it is an element, an attribute, a comment, or was evaluated."""
    found = Found()
    found.feed(page)
    assert "xss-probe" not in found.tags, path
    assert "onprobe" not in found.attributes, path
    assert not found.comments, path
    assert "xss-probe on" not in page.replace("&lt;xss-probe on", ""), path
    assert "60481729" not in page, path


async def test_nothing_that_somebody_named_is_more_than_text() -> None:
    """On every page and part; and it was there, as text, where it is shown at all."""
    house = await evil_house()
    services = house.services()
    cache = EvilCache()
    admin = replace(
        services.admin,
        cache=CacheServices(cache, services.admin.cache.wrong_hits, lambda: cache),
        models=lambda: (EVIL,),
        deployments=lambda: evil_deployments(house),
    )
    app = house.app(replace(services, admin=admin))
    silent = []
    async with house.browser(OWNER_KEY, app=app) as browser:
        for path in PATHS:
            page, part = await browser.get(path), await browser.part(path)
            expected = 404 if path.startswith("/nothing") else 200
            assert (page.status_code, part.status_code) == (expected, expected), path
            check(page.text, path)
            check(part.text, path)
            if "&lt;xss-probe" not in page.text:
                silent.append(path)
    assert silent == [], "these show none of it, and prove nothing"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": EVIL, "tags": EVIL, "class": EVIL, "spill": EVIL, "time_zone": EVIL},
        {"name": "new", "tags": f"{EVIL}={EVIL}"},
        {"name": "new", "models": EVIL},
    ],
)
async def test_what_a_form_is_refused_for_is_text(owner: Browser, fields: dict[str, str]) -> None:
    """Where a refusal says what was sent at all."""
    answer = await owner.post("/new-tenant", fields)
    assert answer.status_code == 400
    check(answer.text, "/new-tenant")


async def test_a_key_with_such_a_name_is_shown_as_it_is_called(owner: Browser) -> None:
    """What was made through a form comes back as it was written."""
    made = await owner.post("/tenants/search/keys", {"name": EVIL})
    assert made.status_code == 303
    page = (await owner.get(made.headers["location"].removeprefix("/console"))).text
    check(page, "key")
    assert "&lt;xss-probe" in page
