from __future__ import annotations

import re

import pytest

from app.domain.identity.api_key import ApiKey
from app.domain.identity.directory import Role
from app.errors import StoreUnavailable
from tests.fakes.admin import ADMIN_KEYS, SEARCH_KEY_ID, key_text
from tests.fakes.changed import replace
from tests.fakes.console import Browser, ConsoleHouse, crowded
from tests.fakes.ledger_rows import ledger_row


def cells(page: str) -> str:
    """The text of a page, with one space between all its parts."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


async def test_a_tenant_is_made_changed_and_deleted(house: ConsoleHouse, owner: Browser) -> None:
    """Through forms alone; what a form does not say stays as it is."""
    form = {"name": "new", "models": "gpt-4o", "class": "batch", "tags": "team=a\ncost=4 7"}
    form |= {"spill": "budget", "spill.usd_per_day": "5", "cache.exact": "on", "disabled": "no"}
    made = await owner.post("/new-tenant", form)
    assert made.headers["location"] == "/console/tenants/new"
    page = (await owner.get("/tenants/new")).text
    assert "Tenant new is made. In force on 2 of 2 workers." in page
    assert "Tenant new is made." not in (await owner.get("/tenants/new")).text
    entry = house.house.store.current.tenants["new"]
    assert entry.tags == {"team": "a", "cost": "4 7"}
    assert (entry.models, entry.cache.exact.enabled) == (("gpt-4o",), True)
    assert entry.routing.spill_budgets == {"usd_per_day": 5}

    await owner.post("/tenants/new", {"time_zone": "Europe/Berlin", "version": "1"})
    changed = house.house.store.current.tenants["new"]
    assert changed == replace(entry, time_zone="Europe/Berlin", version=2)

    assert (await owner.post("/tenants/new/delete", {"name": "nwe"})).status_code == 400
    assert (await owner.post("/tenants/new/delete", {"name": "new"})).status_code == 303
    assert "new" not in house.house.store.current.tenants


async def test_nobodys_change_is_overwritten_unseen(owner: Browser) -> None:
    """A form that was made of an older version is refused, as `If-Match` would be."""
    await owner.post("/tenants/search", {"tags": "a=b", "version": "1"})
    answer = await owner.post("/tenants/search", {"tags": "c=d", "version": "1"})
    assert answer.status_code == 412
    assert "is at version 2, not 1" in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": "no spaces please"}, "name: "),
        ({"name": "new", "models": "gpt-7"}, "there is no model"),
        ({"name": "new", "ptu_share": "much"}, "ptu_share: "),
        ({"name": "new", "time_zone": "Mars/Base"}, "time_zone: "),
        ({"name": "new", "tags": "no equals sign"}, "tags"),
        ({"name": "search"}, ""),
    ],
)
async def test_a_refused_form_says_why(owner: Browser, fields: dict[str, str], said: str) -> None:
    """In the API's words, with its status."""
    answer = await owner.post("/new-tenant", fields)
    assert answer.status_code == (400 if said else 412)
    assert said in answer.text


async def test_limits_are_set_one_at_a_time(house: ConsoleHouse, owner: Browser) -> None:
    """The others stay; one of the same name and scope is replaced; each can be taken away."""
    for fields in (
        {"name": "rpm", "amount": "5"},
        {"name": "tpm", "amount": "1000", "mode": "soft", "model": "gpt-4o"},
        {"name": "rpm", "amount": "7", "override": "9", "override_until": "2099-01-01T00:00Z"},
    ):
        assert (await owner.post("/tenants/search/limits", fields)).status_code == 303
    rules = {rule.name.value: rule for rule in house.house.store.current.tenants["search"].limits}
    assert (rules["rpm"].amount, rules["rpm"].override, rules["tpm"].mode) == (7, 9, "soft")

    page = cells((await owner.get("/tenants/search")).text)
    assert "rpm tenant hard 9 2 7" in page  # of 9 until then, 2 used as the accounts tell, 7 left
    assert "tpm model:gpt-4o soft 1,000 1 999" in page

    await owner.post("/tenants/search/limits/remove", {"name": "tpm", "model": "gpt-4o"})
    left = house.house.store.current.tenants["search"].limits
    assert [rule.name for rule in left] == ["rpm"]


async def test_a_key_is_shown_once(house: ConsoleHouse, owner: Browser) -> None:
    """On the page that follows; then nobody can read it any more."""
    form = {"name": "ci", "expires_days": "30"}
    made = await owner.post("/tenants/search/keys", form)
    path = made.headers["location"].removeprefix("/console")
    assert "spg_live_" not in made.text + made.headers["location"]
    found = re.search(r'value="(spg_live_\w+)"', (await owner.get(path)).text)
    assert found
    key = ApiKey.parse(found[1])
    assert key is not None
    entry = house.house.store.current.keys[key.id]
    assert (entry.name, entry.tenant) == ("ci", "search")
    assert entry.expires_at == house.house.clock.unix() + 30 * 86_400
    assert found[1] not in (await owner.get(path)).text


async def test_a_key_is_rotated_disabled_and_revoked(house: ConsoleHouse, owner: Browser) -> None:
    """The new one is shown once, the old one works for the overlap."""
    rotated = await owner.post(f"/keys/{SEARCH_KEY_ID}/rotate", {"overlap_hours": "2"})
    new = rotated.headers["location"].rpartition("/")[2]
    old = house.house.store.current.keys[SEARCH_KEY_ID]
    assert old.expires_at == house.house.clock.unix() + 7200
    assert "spg_live_" in (await owner.get(f"/keys/{new}")).text
    await owner.post(f"/keys/{new}", {"disabled": "yes"})
    assert house.house.store.current.keys[new].disabled
    await owner.post(f"/keys/{new}/revoke")
    assert new not in house.house.store.current.keys


@pytest.mark.parametrize("page", ["/tenants", "/keys", "/cache", "/cache/search"])
async def test_a_place_that_no_list_has_is_a_mistake_of_whoever_asks(
    owner: Browser, page: str
) -> None:
    """As at the API; no fault of ours, which would close the connection and be logged."""
    refused = await owner.get(f"{page}?cursor={'x' * 300}")
    assert (refused.status_code, "cursor" in refused.text) == (400, True)


async def test_tenants_and_keys_are_found_and_come_in_pages(house: ConsoleHouse) -> None:
    """By letters of a name or a tag; the rest is a link away."""
    await crowded(house, tenants=70, keys=150)
    async with house.browser() as browser:
        first = (await browser.get("/tenants")).text
        more = re.search(r'href="/console(/tenants\?q=&amp;cursor=[^"]+)"', first)
        assert more
        second = (await browser.get(more[1].replace("&amp;", "&"))).text
        assert 'tenants/tenant-0069"' in first + second
        assert not re.search(r"/tenants\?q=&amp;cursor", second)
        found = (await browser.get("/tenants?q=TENANT-0042")).text
        assert "1 tenant with" in cells(found)
        assert "10 keys" not in cells(found)
        keys = cells((await browser.get("/keys?tenant=tenant-0001")).text)
        assert "3 keys" in keys


async def test_a_deployment_is_drained_weighted_and_enabled(
    house: ConsoleHouse, owner: Browser
) -> None:
    """On the list and on its own page; an empty weight is the configured one."""
    assert (await owner.post("/deployments/paygo", {"state": "draining"})).status_code == 303
    assert "draining" in cells((await owner.get("/deployments/paygo")).text)
    weights = {"model": "gpt-4o", "weight.gpt-4o": "7"}
    await owner.post("/deployments/paygo", weights)
    entry = house.house.store.current.deployments["paygo"]
    assert (entry.draining, entry.weights) == (True, {"gpt-4o": 7})
    await owner.post("/deployments/paygo", {"state": "enabled"})
    await owner.post("/deployments/paygo", weights | {"weight.gpt-4o": ""})
    entry = house.house.store.current.deployments["paygo"]
    assert (entry.draining, dict(entry.weights)) == (False, {})
    assert (await owner.get("/deployments/nowhere")).status_code == 404


async def test_the_ptu_page_says_who_borrows(house: ConsoleHouse, owner: Browser) -> None:
    """Of 75 % used, a tenant with nine tenths of the tokens has more than its 40 %."""
    now = house.house.clock.unix()
    house.recent.rows = [
        ledger_row("1", tenant="search", deployment="ptu", input=800, output=100, at=now),
        ledger_row("2", tenant="other", deployment="ptu", input=0, output=100, at=now),
        ledger_row("3", tenant="other", deployment="paygo", input=9000, at=now),
        ledger_row("4", tenant="other", deployment="ptu", input=9000, at=now - 61),
    ]
    page = cells((await owner.get("/ptu")).text)
    assert "Predicted by the gateway 75 %" in page
    assert "Reported by its last answer 80 %" in page
    assert "search 40 % 67.5 % 27.5 %" in page
    assert "other 60 % 7.5 % \N{EN DASH}" in page


async def test_the_spill_page_says_why_and_how_often(house: ConsoleHouse, owner: Browser) -> None:
    """In all at once, of the last minute as soon as there are two samples; zeros are left out."""
    assert "predicted it would not have fitted, so it was not tried 3 0" in cells(
        (await owner.get("/spill")).text
    )
    house.metrics = house.metrics.replace('reason="predicted"} 3', 'reason="predicted"} 5')
    house.metrics += (
        'llm_class_requests_total{class="batch",spill="none"} 7\n'
        'llm_class_requests_total{class="batch",spill="predicted"} 5\n'
        'llm_throttles_total{deployment="ptu",reason="tokens"} 0\n'
        'llm_deployment_hold_seconds{deployment="ptu"} 2.5\n'
    )
    house.house.clock.advance(10)
    page = cells((await owner.part("/spill")).text)
    assert "so it was not tried 5 2" in page
    assert "batch 12 5" in page
    assert "ptu is held 2.50 s more" in page
    assert "ptu: tokens" not in page


async def test_the_cache_page_shows_how_often_it_answers(owner: Browser) -> None:
    """Of what could be answered; and who has how many answers."""
    page = cells((await owner.get("/cache")).text)
    assert "Hit rate 40 % 4 of 10 that could be" in page
    assert "search 0 0 B" in page


async def test_requests_are_listed_and_filtered(house: ConsoleHouse, owner: Browser) -> None:
    """The last ones first, each with its figures of the ledger."""
    house.recent.rows = [
        ledger_row("1", request_id="req-a", tenant="search", nano_usd=1_500_000_000, status=200),
        ledger_row("2", request_id="req-b", tenant="other", spill="held", status=429),
    ]
    page = cells((await owner.get("/requests")).text)
    assert page.index("req-b") < page.index("req-a")
    assert "req-a search gpt-4o" in page
    assert "$1.50" in page
    for query, shown in (
        ("tenant=search", "req-a"),
        ("spill=held", "req-b"),
        ("status=429", "req-b"),
    ):
        only = cells((await owner.get(f"/requests?{query}")).text)
        assert [name for name in ("req-a", "req-b") if name in only] == [shown]


async def test_a_request_is_explained_or_read_in_the_ledger(
    house: ConsoleHouse, owner: Browser
) -> None:
    """The explanation is kept for a while, the row for longer; else there is nothing of that id."""
    house.recent.rows = [ledger_row("2", request_id="req-old")]
    assert "Why it went where it went" in (await owner.get("/requests/req-search")).text
    assert "no longer explained" in (await owner.get("/requests/req-old")).text
    assert (await owner.get("/requests/req-none")).status_code == 404


async def test_the_overview_shows_what_is_counted(house: ConsoleHouse, owner: Browser) -> None:
    """Totals at once, and rates as soon as there are two samples, by the part that is asked for."""
    assert ">42<" in (await owner.get("/")).text
    house.metrics = house.metrics.replace('status="200"} 40', 'status="200"} 60')
    house.house.clock.advance(10)
    part = (await owner.part("/")).text
    assert "<html" not in part
    assert ">62<" in part
    assert '<p class="figure">2</p>' in part


async def test_a_tenant_admin_sees_its_own_figures(house: ConsoleHouse) -> None:
    """Of the ledger, which knows tenants; `/metrics` is everybody's."""
    now = house.house.clock.unix()
    house.house.ledger.recorded = [
        ledger_row("1", tenant="search", model="gpt-4o", at=now - 5),
        ledger_row("2", tenant="other", model="secret-model", at=now - 5),
    ]
    house.recent.rows = list(house.house.ledger.recorded)
    async with house.browser(ADMIN_KEYS[Role.TENANT_ADMIN]) as browser:
        page = (await browser.get("/")).text
        assert "gpt-4o" in page
        for path in ("/", "/requests"):
            assert "secret-model" not in (await browser.get(path)).text


async def test_pages_stand_while_a_store_is_away(house: ConsoleHouse, owner: Browser) -> None:
    """What is used of a limit is then not known, and nothing else is missing."""
    await owner.post("/tenants/search/limits", {"name": "rpm", "amount": "5"})

    async def read(*_: object) -> tuple[int, ...]:
        raise StoreUnavailable("away")

    house.accounts.read = read  # type: ignore[assignment,method-assign]  # away
    page = await owner.get("/tenants/search")
    assert page.status_code == 200
    assert "rpm tenant hard 5 \N{EN DASH} \N{EN DASH}" in cells(page.text)


async def test_the_audit_log_is_shown_the_last_first(owner: Browser) -> None:
    """Who did what with which request; and it can be verified."""
    await owner.post("/new-tenant", {"name": "a1"}, headers={"x-request-id": "my-request"})
    await owner.post("/new-tenant", {"name": "a2"})
    page = cells((await owner.get("/audit")).text)
    assert page.index("tenant a2 created") < page.index("tenant a1 created my-request")
    assert "Yes: each of 2 records" in cells((await owner.get("/audit/verify")).text)


async def test_a_key_that_is_revoked_ends_its_sessions(house: ConsoleHouse) -> None:
    """At the next click, also of forms."""
    async with house.browser(ADMIN_KEYS[Role.OPERATOR]) as browser:
        async with house.house.client() as client:
            admins = (await client.get("admins")).json()["data"]
            mine = next(each["id"] for each in admins if each["role"] == "operator")
            await client.delete(f"admins/{mine}")
        assert (await browser.post("/new-tenant", {"name": "late"})).status_code == 401
        assert (await browser.get("/")).status_code == 303
    assert "late" not in house.house.store.current.tenants


async def test_answers_are_evicted_as_the_api_does(house: ConsoleHouse, owner: Browser) -> None:
    """Named in one of four ways; recorded in the audit log."""
    answer = await owner.post("/cache/search/evict", {"all": "yes"})
    assert answer.headers["location"] == "/console/cache/search"
    assert "0 answers are evicted" in (await owner.get("/cache/search")).text
    refused = await owner.post("/cache/search/evict", {"all": "yes", "model": "gpt-4o"})
    assert refused.status_code == 400
    assert house.house.store.current.caches["search"].evicted == {"all": "true"}


def test_a_key_of_tests_is_a_key() -> None:
    """Else the searches above find nothing for another reason."""
    assert ApiKey.parse(key_text(5)) is not None
