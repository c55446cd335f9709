from __future__ import annotations

from functools import partial
from hashlib import sha256
from pathlib import Path

import app.api.console
from app.api.admin.application import create_admin
from app.api.console.application import create_console
from tests.fakes.changed import replace
from tests.fakes.console import BASE, Browser, ConsoleHouse

STATIC = Path(app.api.console.__file__).parent / "static"


async def test_every_answer_tells_the_browser_what_not_to_do(
    house: ConsoleHouse, owner: Browser
) -> None:
    """Pages, parts, files and refusals: nothing inline, in no frame, in no cache."""
    answers = [
        await owner.get("/"),
        await owner.part("/"),
        await owner.get("/nowhere"),
        await owner.post("/sign-out", {"csrf": ""}),
        await owner.get("/static/console.css"),
        await owner.get("/static/nothing.css"),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in answer.headers
    assert [each.headers["cache-control"] for each in answers[:4]] == ["no-store"] * 4
    assert [each.status_code for each in answers] == [200, 200, 404, 403, 200, 404]


async def test_by_tls_the_browser_is_told_to_come_by_tls(house: ConsoleHouse) -> None:
    """And only then."""
    async with house.browser(None, scheme="https") as browser:
        answer = await browser.client.get("https://admin/console/sign-in")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


async def test_a_fault_of_ours_tells_nothing_of_itself(house: ConsoleHouse) -> None:
    """But the request's id, to ask for it by."""

    async def broken(_: str) -> tuple[str, bytes]:
        raise RuntimeError("the secret is 42")

    services = house.services()
    services = replace(services, admin=replace(services.admin, metrics=broken))
    application = create_admin(services.admin, partial(create_console, services))
    async with house.browser(app=application) as browser:
        answer = await browser.get("/", headers={"x-request-id": "my-id"})
        assert answer.status_code == 500
        assert "42" not in answer.text
        assert "my-id" in answer.text


async def test_the_bare_address_leads_to_the_console(house: ConsoleHouse) -> None:
    """Where there is one; the API stays as it is."""
    async with house.browser(None) as browser:
        for path in ("/", "/console"):
            answer = await browser.client.get(f"http://admin{path}")
            assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    async with house.house.client(None) as client:
        assert (await client.get("http://admin/console/")).status_code == 404


def test_what_was_taken_from_elsewhere_is_as_it_was() -> None:
    """The vendored file is the one that is named beside it, with its licence."""
    digest = sha256((STATIC / "htmx.min.js").read_bytes()).hexdigest()
    assert digest in (STATIC / "README.md").read_text()
    assert "Zero-Clause BSD" in (STATIC / "htmx.LICENSE").read_text()


def test_templates_have_nothing_that_the_policy_forbids() -> None:
    """No inline script, style or handler; nothing unescaped; nothing from elsewhere."""
    for path in STATIC.parent.glob("templates/*.html"):
        text = path.read_text()
        for word in (
            "|safe",
            "| safe",
            " style=",
            " onclick",
            " onload",
            "Markup",
            "//cdn",
            "http",
        ):
            found = text.replace("http-equiv", "") if word == "http" else text
            assert word not in found, (path.name, word)
        assert text.count("<script") == text.count("<script src=")


async def test_static_files_may_be_kept(owner: Browser) -> None:
    """Their addresses change with what is in them; what is no file of ours is not there."""
    page = (await owner.get("/")).text
    for name in ("console.css", "console.js", "htmx.min.js", "icon.svg"):
        version = sha256((STATIC / name).read_bytes()).hexdigest()[:12]
        assert f"/console/static/{name}?v={version}" in page
        answer = await owner.client.get(f"{BASE}/static/{name}?v={version}")
        assert "immutable" in answer.headers["cache-control"]
    for name in ("README.md", "htmx.LICENSE", "..%2Fframe.py", "%2e%2e/frame.py"):
        assert (await owner.client.get(f"{BASE}/static/{name}")).status_code == 404
