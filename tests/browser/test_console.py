"""The console as somebody sees it who has only a browser."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from openai import OpenAI, OpenAIError

from app.api.console.writing import dollars, nano_dollars
from tests.browser.conftest import Meet
from tests.browser.house import Demo, Person

pytestmark = pytest.mark.long

TENANT = "search-team"
ASKED = 30
DEADLINE_S = 120.0
EVIL = """'"></script><img src=x onerror="window.pwned=1"><script>window.pwned=1</script>"""
#: How many things can be used on a page; of a group of choices Tab leads to the chosen one.
USABLE = """
window.usable = [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, [tabindex='0']"
)].filter((it) => it.getClientRects().length && !it.matches("[type=radio]:not(:checked)")
  && getComputedStyle(it).visibility !== "hidden");
usable.length
"""
#: Which of them has the focus, and whether that is seen.
FOCUSED = """
[usable.indexOf(document.activeElement),
 getComputedStyle(document.activeElement).outlineStyle !== "none"]
"""
PAGES = (
    "/",
    "/ptu",
    "/spill",
    "/plan",
    "/statements",
    "/deployments",
    "/deployments/ptu-east",
    "/requests",
    "/tenants",
    f"/tenants/{TENANT}",
    "/new-tenant",
    "/keys",
    "/cache",
    f"/cache/{TENANT}",
    "/audit",
    "/audit/verify",
    "/playground",
    "/nothing",
)


@pytest.fixture(scope="module")
def story(house: Demo, chromium: Any) -> Iterator[dict[str, Any]]:
    """A tenant and a key that were made in the browser, and what was asked with it."""
    context = chromium.new_context()
    person = Person(context.new_page(), house.console)
    person.sign_in(house.admin_key)
    key = made_by_keyboard(person)
    answers = asked_with_the_sdk(house, key)
    yield {"key": key, "ids": answers, "complaints": person.complaints}
    context.close()


def made_by_keyboard(person: Person) -> str:
    """A tenant and a key of it, without a mouse; the key."""
    person.open("/tenants")
    reach(person, "New tenant")
    person.page.keyboard.press("Enter")
    person.page.wait_for_selector("#name")
    reach(person, "", "name")
    person.page.keyboard.type(TENANT)
    reach(person, "Make the tenant")
    person.page.keyboard.press("Enter")
    person.page.wait_for_selector("#keys")
    reach(person, "Make a key")
    person.page.keyboard.press("Enter")
    reach(person, "", "key-name")
    person.page.keyboard.type("the search application")
    reach(person, "Make the key")
    person.page.keyboard.press("Enter")
    person.page.wait_for_selector("input.secret")
    return str(person.page.input_value("input.secret"))


def reach(person: Person, text: str, field_id: str = "") -> None:
    """Press Tab until the focus is on what has this text, or this id."""
    for _ in range(120):
        person.page.keyboard.press("Tab")
        found = person.page.evaluate(
            "[document.activeElement.innerText ?? '', document.activeElement.id]"
        )
        if (found[0].strip() == text and text) or (field_id and found[1] == field_id):
            return
    pytest.fail(f"no Tab leads to {text or field_id!r}")


def asked_with_the_sdk(house: Demo, key: str) -> list[str]:
    """The ids of answered requests; enough of them that some spill."""
    found = []
    with OpenAI(base_url=house.base_url, api_key=key, max_retries=0, timeout=120) as client:
        for number in range(ASKED):
            raw = client.chat.completions.with_raw_response.create(
                model="gpt-4o",
                max_tokens=400,
                messages=[{"role": "user", "content": f"{number}: {'why? ' * 800}"}],
            )
            raw.parse()
            found.append(raw.headers["x-request-id"])
    return found


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Ask until it is so."""
    until = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.25)


def test_a_tenant_its_key_and_the_same_figures_everywhere(
    house: Demo, meet: Meet, story: dict[str, Any]
) -> None:
    """What the SDK asked is in the console, `/metrics`, the ledger and the explanations alike."""
    person = meet(house.admin_key)
    asked = f"/usage?tenant={TENANT}"

    def counted() -> bool:
        groups = house.api("GET", asked)["data"]
        return bool(groups) and groups[0]["requests"] == ASKED

    eventually(counted, "the ledger never had all requests")
    ledger = house.api("GET", asked)["data"][0]
    assert house.metric("llm_requests_total", tenant=TENANT) == ASKED
    cost = house.metric("llm_cost_dollars_total", tenant=TENANT)
    assert cost == pytest.approx(ledger["nano_usd"] / 1e9)
    tokens = house.metric("llm_tokens_total", tenant=TENANT)
    assert tokens == ledger["input"] + ledger["output"]

    explained = [house.api("GET", f"/explain/{each}")["data"] for each in story["ids"]]
    assert sum(each["settled"]["nano_usd"] for each in explained) == ledger["nano_usd"]
    assert sum(each["settled"]["output"] for each in explained) == ledger["output"]
    spilled = [each for each in explained if each["spill"] != "none"]
    assert house.metric("llm_spill_total") == len(spilled) > 0

    person.open("/")
    everything = house.metric("llm_requests_total")
    assert person.page.inner_text("#all-requests") == f"{everything:.0f}"
    assert person.page.inner_text("#all-spent") == dollars(house.metric("llm_cost_dollars_total"))
    person.open(f"/requests?tenant={TENANT}")
    rows = person.page.query_selector_all("#live tbody tr")
    assert len(rows) == ASKED
    last = explained[-1]
    assert nano_dollars(last["settled"]["nano_usd"]) in rows[0].inner_text()
    rows[0].query_selector("a").click()
    person.page.wait_for_selector("#charged")
    assert person.page.inner_text("#charged") == nano_dollars(last["settled"]["nano_usd"])
    for sentence in last["why"]:
        assert " ".join(sentence.split()) in person.text()
    person.open("/spill")
    for reason in {each["spill"] for each in spilled}:
        count = sum(each["spill"] == reason for each in spilled)
        row = person.page.locator("tr", has=person.page.get_by_role("link", name=reason))
        assert row.first.locator("td.number").first.inner_text() == str(count)
    assert story["complaints"] == person.complaints == []


def test_figures_follow_without_reloading_until_they_are_paused(
    house: Demo, meet: Meet, story: dict[str, Any]
) -> None:
    """And a page that is read by keyboard is left alone."""
    person = meet(house.admin_key)
    before = all_requests(person)
    with OpenAI(base_url=house.base_url, api_key=story["key"]) as client:
        ask_for_little(client)
        eventually(lambda: all_requests(person) >= before + 1, "it does not follow")
        person.page.click("#pause")
        assert person.page.inner_text("#said") == "Updates are paused."
        shown = all_requests(person)
        ask_for_little(client)
        person.page.wait_for_timeout(4500)
        assert all_requests(person) == shown
        person.page.click("#pause")
        eventually(lambda: all_requests(person) >= before + 2, "it does not follow again")


def all_requests(person: Person) -> int:
    """As the overview shows it now; the live part may just be replaced."""
    return int(person.page.inner_text("#all-requests").replace(",", ""))


def ask_for_little(client: OpenAI) -> None:
    """One short answer."""
    client.chat.completions.create(
        model="gpt-4o", max_tokens=5, messages=[{"role": "user", "content": "Hi"}]
    )


def test_the_playground_streams_and_says_what_the_gateway_did(
    house: Demo, meet: Meet, story: dict[str, Any]
) -> None:
    """With a key that is there for one question alone, or with one that was given."""
    person = meet(house.admin_key)
    keys_before = house.api("GET", f"/tenants/{TENANT}/keys")["data"]
    person.open("/playground")
    person.page.select_option("#tenant", TENANT)
    person.page.fill("#prompt", "What is a PTU?")
    person.page.click("#send")
    person.page.wait_for_selector("#why li")
    assert len(person.page.inner_text("#answer")) > 20
    assert "x-spillgate-deployment" in person.page.inner_text("#headers")
    assert house.api("GET", f"/tenants/{TENANT}/keys")["data"] == keys_before
    person.page.click("#explain a")
    person.page.wait_for_selector("#charged")
    assert person.complaints == []


def test_it_works_without_scripts(house: Demo, meet: Meet, story: dict[str, Any]) -> None:
    """Pages by reloading, forms and the playground by whole pages."""
    person = meet(java_script_enabled=False)
    person.open("/sign-in")
    person.page.fill("#key", house.admin_key)
    person.page.click("button.main")
    assert person.page.inner_text("h1") == "Overview"
    person.open("/playground")
    person.page.check("input[value=pasted]")
    person.page.fill("#key", story["key"])
    person.page.fill("#prompt", "What is a PTU?")
    person.page.click("#send")
    person.page.wait_for_selector("#why li")
    assert len(person.page.inner_text("#answer")) > 20
    assert story["key"] not in person.page.content()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_axe_finds_nothing_serious(
    house: Demo, meet: Meet, story: dict[str, Any], axe: str, *, dark: bool, phone: bool
) -> None:
    """On no page; and no page is wider than a phone."""
    person = meet(dark=dark, phone=phone, bypass_csp=True)
    found = judged(person, "/sign-in", axe)
    person.sign_in(house.admin_key)
    key_id = house.api("GET", f"/tenants/{TENANT}/keys")["data"][0]["id"]
    for path in (*PAGES, f"/requests/{story['ids'][0]}", f"/keys/{key_id}"):
        found += judged(person, path, axe)
        wide = person.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, path
    assert found == []


def judged(person: Person, path: str, axe: str) -> list[str]:
    """What is serious or critical on a page, with everything on it unfolded."""
    person.open(path)
    person.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    person.page.evaluate(axe)
    violations = person.page.evaluate("axe.run().then(found => found.violations)")
    return [
        f"{path}: {each['id']}: {node['html'][:200]}: {node['failureSummary'][:200]}"
        for each in violations
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"][:3]
    ]


def test_every_page_works_without_a_mouse(house: Demo, meet: Meet, story: dict[str, Any]) -> None:
    """Tab leads to all that can be used, in turn, and it is seen where it is."""
    person = meet(house.admin_key)
    for path in PAGES:
        person.open(path)
        person.page.evaluate("document.querySelectorAll('details').forEach(it => it.open = true)")
        person.page.evaluate("document.getElementById('pause')?.click()")
        person.page.evaluate("document.activeElement.blur()")
        wanted = person.page.evaluate(USABLE)
        reached = []
        for _ in range(wanted + 10):  # some fields have parts
            person.page.keyboard.press("Tab")
            reached.append(person.page.evaluate(FOCUSED))
        missing = set(range(wanted)) - {number for number, _ in reached}
        left = [person.page.evaluate(f"usable[{each}].outerHTML.slice(0, 120)") for each in missing]
        assert left == [], path
        assert all(is_seen for number, is_seen in reached if number >= 0), path


def test_nothing_that_somebody_named_runs(house: Demo, meet: Meet, story: dict[str, Any]) -> None:
    """Keys, tags, administrators, models, prompts, request ids and addresses."""
    made = house.api("POST", f"/tenants/{TENANT}/keys", {"name": EVIL[:128]})["data"]
    house.api("POST", "/admins", {"role": "viewer", "name": EVIL[:128]})
    house.api("PATCH", f"/tenants/{TENANT}", {"cache": {"exact": {"enabled": True}}})
    with suppress(httpx2.HTTPStatusError):  # tags have a form that lets none of it in
        house.api("PATCH", f"/tenants/{TENANT}", {"tags": {"team": EVIL}})
    with OpenAI(base_url=house.base_url, api_key=made["key"], max_retries=0) as client:
        for model, headers in (("gpt-4o", {}), (EVIL, {}), ("gpt-4o", {"x-request-id": EVIL})):
            with suppress(OpenAIError):  # an unknown model is refused, and recorded
                client.chat.completions.create(
                    model=model,
                    max_tokens=5,
                    temperature=0,
                    messages=[{"role": "user", "content": EVIL}],
                    extra_headers=headers,
                )
    person = meet(house.admin_key)
    person.open(f"/cache/{TENANT}")
    eventually(lambda: reloaded(person, "onerror"), "the kept answer is never shown")
    assert EVIL[:60] in person.text()
    query = f"?q={EVIL}&tenant={EVIL}&next={EVIL}&status={EVIL}&cursor={EVIL}"
    for path in (*PAGES, f"/keys/{made['id']}", f"/keys{query}", f"/requests{query}"):
        person.open(path)
        assert person.page.evaluate("window.pwned ?? null") is None, path
    person.open(f"/tenants{query}")
    person.open("/playground")
    person.page.select_option("#tenant", TENANT)
    person.page.fill("#model", EVIL)
    person.page.fill("#prompt", EVIL)
    person.page.click("#send")
    person.page.wait_for_selector("#failed:not([hidden])")
    assert person.page.evaluate("window.pwned ?? null") is None
    policy = [each for each in person.complaints if "Content Security" in each]
    assert policy == [], "the policy had to hold what should have been text"


def reloaded(person: Person, text: str) -> bool:
    """Whether the page has this text when it is loaded again."""
    person.page.reload()
    return text in person.text()


@pytest.mark.parametrize(
    ("role", "missing"),
    [
        ("operator", []),
        ("viewer", ["New tenant", "Make a key", "Set a limit", "Revoke"]),
        ("tenant-admin", ["New tenant", "Set a limit", "Delete the tenant"]),
    ],
)
def test_each_role_sees_what_it_may(
    house: Demo, meet: Meet, story: dict[str, Any], role: str, missing: list[str]
) -> None:
    """In the menu and on pages; an address that is typed in is refused as the API would."""
    body = {"role": role} | ({"tenant": TENANT} if role == "tenant-admin" else {})
    person = meet(house.api("POST", "/admins", body)["data"]["key"])
    hidden = {"PTU", "Spill", "Deployments", "Audit"} if role == "tenant-admin" else set()
    assert not hidden & set(person.links())
    person.open(f"/tenants/{TENANT}")
    for word in missing:
        assert word not in person.text()
    if role == "operator":
        assert "Set a limit" in person.text()
    for path in ("/ptu", "/audit") if role == "tenant-admin" else ():
        person.open(path)
        assert "does not allow" in person.text()
    person.open("/tenants/demo")
    is_hidden = role == "tenant-admin"
    assert ("There is no tenant" in person.text()) is is_hidden


def test_whoever_is_revoked_is_out(house: Demo, meet: Meet) -> None:
    """The page that is open goes to the sign-in by itself."""
    admin = house.api("POST", "/admins", {"role": "viewer"})["data"]
    person = meet(admin["key"])
    house.api("DELETE", f"/admins/{admin['id']}")
    person.page.wait_for_selector("#key")
    assert re.search("Sign in", person.text())
