from __future__ import annotations

import re

import pytest

from app.api.admin.throttle import WRONG_KEYS
from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS, OWNER_KEY, SEARCH_KEY, key_text
from tests.fakes.console import BASE, Browser, ConsoleHouse


async def test_whoever_is_not_signed_in_is_asked_to(house: ConsoleHouse) -> None:
    """And comes back to the page that was asked for; its live part has the whole page go there."""
    async with house.browser(None) as browser:
        answer = await browser.get("/")
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
        page = await browser.get("/sign-in", params={"next": "/console/tenants"})
        assert 'value="/console/tenants"' in page.text
        part = await browser.part("/")
        assert (part.status_code, part.headers["hx-redirect"]) == (401, "/console/sign-in")
        assert (await browser.post("/sign-out")).status_code == 401


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(
    house: ConsoleHouse,
) -> None:
    """Below the console's path alone; and by TLS alone where it came by TLS."""
    async with house.browser(None) as browser:
        plain = await browser.sign_in(OWNER_KEY)
    async with house.browser(None, scheme="https") as browser:
        secure = await browser.sign_in(OWNER_KEY)
    words = plain.headers["set-cookie"].lower()
    assert plain.status_code == secure.status_code == 303
    for word in ("httponly", "samesite=strict", "path=/console"):
        assert word in words
    assert "secure" not in words
    assert "secure" in secure.headers["set-cookie"].lower()
    assert OWNER_KEY not in words


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_signs_in_with_its_key(house: ConsoleHouse, role: Role) -> None:
    """And sees which it is."""
    async with house.browser(ADMIN_KEYS[role]) as browser:
        page = await browser.get("/")
        assert page.status_code == 200
        assert f'<span class="pill">{role}' in page.text


@pytest.mark.parametrize(
    "key", ["", "no-such-key", OWNER_KEY + "x", SEARCH_KEY, key_text(99), "\0é"]
)
async def test_nobody_else_signs_in(house: ConsoleHouse, key: str) -> None:
    """What was tried is not repeated, and makes no session."""
    async with house.browser(None) as browser:
        answer = await browser.sign_in(key)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert not key or key not in answer.text


async def test_guessing_is_slowed_down_together_with_guessing_at_the_api(
    house: ConsoleHouse,
) -> None:
    """Five there and five here are ten; then the right key has to wait, too, in both places."""
    async with house.browser(None) as browser:
        for _ in range(WRONG_KEYS // 2):
            await browser.sign_in("wrong")
            await browser.client.get(
                "http://admin/admin/v1/me", headers={"authorization": "Bearer wrong"}
            )
        refused = await browser.sign_in(OWNER_KEY)
        assert refused.status_code == 429
        assert "Too many wrong keys" in refused.text
        api = await browser.client.get(
            "http://admin/admin/v1/me", headers={"authorization": f"Bearer {OWNER_KEY}"}
        )
        assert api.status_code == 429


@pytest.mark.parametrize(
    ("asked", "led"),
    [
        ("/console/tenants?q=a", "/console/tenants?q=a"),
        ("https://evil.example/", "/console/"),
        ("//evil.example/", "/console/"),
        ("/console/\\evil.example", "/console/"),
        ("/consoles", "/console/"),
        ("", "/console/"),
    ],
)
async def test_where_signing_in_leads(house: ConsoleHouse, asked: str, led: str) -> None:
    """To a page of the console, never to another site."""
    async with house.browser(None) as browser:
        answer = await browser.sign_in(OWNER_KEY, next=asked)
        assert answer.headers["location"] == led


async def test_signing_out_ends_the_session(house: ConsoleHouse, owner: Browser) -> None:
    """Not only for this browser: who kept the cookie is out, too."""
    cookie = owner.cookie
    answer = await owner.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    owner.client.cookies.set("spillgate_console", cookie, path="/console")
    assert (await owner.get("/")).status_code == 303


async def test_signing_in_again_ends_the_session_before(owner: Browser) -> None:
    """One browser has one."""
    before = owner.cookie
    await owner.sign_in(OWNER_KEY)
    assert owner.cookie != before
    owner.client.cookies.clear()
    owner.client.cookies.set("spillgate_console", before, path="/console")
    assert (await owner.get("/")).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "https://admin.evil.example"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_no_other_site_signs_anybody_in_or_out(
    house: ConsoleHouse, owner: Browser, headers: dict[str, str]
) -> None:
    """The browser says where a form comes from."""
    assert (await owner.post("/sign-out", headers=headers)).status_code == 403
    form = {"csrf": await owner.token_to_sign_in(), "key": OWNER_KEY}
    answer = await owner.client.post(BASE + "/sign-in", data=form, headers=headers)
    assert answer.status_code == 403


async def test_no_page_of_another_site_signs_anybody_in_where_browsers_tell_nothing(
    house: ConsoleHouse,
) -> None:
    """By plain HTTP no origin is told: then it is the form's token, and its cookie.

    The cookie is of this site alone; who has a token of its own has not the visitor's cookie.
    """
    app = house.app()
    async with house.browser(None, app=app) as thief, house.browser(None, app=app) as victim:
        stolen = {"csrf": await thief.token_to_sign_in(), "key": OWNER_KEY}
        planted = {"csrf": thief.client.cookies["spillgate_sign_in"], "key": OWNER_KEY}
        for form in (stolen, planted, {"key": OWNER_KEY}, stolen | {"csrf": ""}):
            for headers in ({}, {"origin": "null"}):
                victim.client.cookies.clear()
                answer = await victim.client.post(BASE + "/sign-in", data=form, headers=headers)
                assert answer.status_code == 403
                assert "spillgate_console" not in answer.headers.get("set-cookie", "")
            await victim.token_to_sign_in()
            answer = await victim.client.post(BASE + "/sign-in", data=form)
            assert (answer.status_code, victim.cookie) == (403, "")


async def test_a_form_that_has_ended_is_shown_anew(house: ConsoleHouse) -> None:
    """After a restart of the process, or with cookies gone: nobody is stuck, no key is lost."""
    async with house.browser(None) as browser:
        token = await browser.token_to_sign_in()
        browser.client.cookies.clear()
        form = {"csrf": token, "key": OWNER_KEY, "next": "/console/tenants"}
        answer = await browser.client.post(BASE + "/sign-in", data=form)
        assert answer.status_code == 403
        assert 'role="alert"' in answer.text
        assert OWNER_KEY not in answer.text
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        assert found is not None
        again = await browser.client.post(BASE + "/sign-in", data=form | {"csrf": found[1]})
        assert (again.status_code, again.headers["location"]) == (303, "/console/tenants")


async def test_several_pages_that_are_open_sign_in_as_well(house: ConsoleHouse) -> None:
    """One that was opened later does not spoil the one before it."""
    async with house.browser(None) as browser:
        first = await browser.token_to_sign_in()
        await browser.token_to_sign_in()
        await browser.post("/sign-in", {"csrf": first, "key": "wrong"})
        answer = await browser.post("/sign-in", {"csrf": first, "key": OWNER_KEY})
        assert answer.status_code == 303


async def test_a_form_without_a_token_is_no_guess(house: ConsoleHouse) -> None:
    """Another site cannot have an address wait: keys of its forms are not looked at."""
    async with house.browser(None) as browser:
        for _ in range(2 * WRONG_KEYS):
            answer = await browser.client.post(BASE + "/sign-in", data={"key": "wrong"})
            assert answer.status_code == 403
        assert (await browser.sign_in(OWNER_KEY)).status_code == 303


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_cookie_before_signing_in_is_of_that_page_alone(
    house: ConsoleHouse, scheme: str
) -> None:
    """And of this site; scripts do not get it."""
    async with house.browser(None, scheme=scheme) as browser:
        answer = await browser.client.get(f"{scheme}://admin/console/sign-in")
        words = answer.headers["set-cookie"].lower()
        for word in ("httponly", "samesite=strict", "path=/console/sign-in"):
            assert word in words
        assert ("secure" in words) is (scheme == "https")
        found = re.search(r'name="csrf" value="([^"]+)"', answer.text)
        assert found is not None
        assert found[1].lower() not in words


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://admin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"origin": "null"},
    ],
)
async def test_forms_of_the_console_are_let_through(
    owner: Browser, headers: dict[str, str]
) -> None:
    """Browsers hide the origin of pages that tell no referrer."""
    assert (await owner.post("/sign-out", headers=headers)).status_code == 303


async def test_a_form_without_the_sessions_token_does_nothing(owner: Browser) -> None:
    """Nor one with another session's."""
    for token in ("", "another"):
        assert (await owner.post("/sign-out", {"csrf": token})).status_code == 403
    assert (await owner.get("/")).status_code == 200


async def test_an_endless_form_is_refused(owner: Browser) -> None:
    """Before it is read to its end; and what is no form at all."""
    assert (await owner.post("/sign-out", {"x": "y" * 300_000})).status_code == 413
    headers = {"content-type": "application/json"}
    answer = await owner.client.post(BASE + "/sign-out", content=b"{}", headers=headers)
    assert answer.status_code == 415
