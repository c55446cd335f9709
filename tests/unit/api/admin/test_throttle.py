"""Whoever shows wrong keys has to wait."""

from __future__ import annotations

import httpx2
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.api.admin.throttle import MOST_SOURCES, WINDOW_S, WRONG_KEYS, TooManyWrongKeys, WrongKeys
from tests.fakes.admin import OWNER_KEY, AdminHouse
from tests.fakes.clock import FakeClock


async def _status(app: FastAPI, address: str, key: str | None) -> httpx2.Response:
    """The answer to a request from an address."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    transport = httpx2.ASGITransport(app, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://admin") as client:
        return await client.get("/admin/v1/me", headers=headers)


async def test_that_guessing_ends_after_a_few_wrong_keys_and_begins_anew(house: AdminHouse) -> None:
    """From loopback too; the answer says when, and a right key from elsewhere is never refused."""
    app = house.app()
    with capture_logs() as logs:
        for _ in range(WRONG_KEYS):
            assert (await _status(app, "127.0.0.1", "wrong")).status_code == 401
            house.clock.advance(1)
        for key in ("wrong", OWNER_KEY):
            refused = await _status(app, "127.0.0.1", key)
            assert refused.status_code == 429
            assert refused.headers["retry-after"] == str(int(WINDOW_S) - WRONG_KEYS)
            error = refused.json()["error"]
            assert error["code"] == "too_many_wrong_keys"
            assert error["message"].endswith(f"wait {int(WINDOW_S) - WRONG_KEYS} s.")
    (said,) = [log for log in logs if log["event"] == "admin_keys_refused"]
    assert said["source"] == "127.0.0.1/32"
    assert (await _status(app, "10.0.0.9", OWNER_KEY)).status_code == 200
    house.clock.advance(WINDOW_S - WRONG_KEYS)
    assert (await _status(app, "127.0.0.1", OWNER_KEY)).status_code == 200


async def test_that_a_request_without_a_key_is_no_guess(house: AdminHouse) -> None:
    """A browser or a probe that knows nothing locks nobody out."""
    app = house.app()
    for _ in range(3 * WRONG_KEYS):
        assert (await _status(app, "127.0.0.1", None)).status_code == 401
    assert (await _status(app, "127.0.0.1", OWNER_KEY)).status_code == 200


def _guess(wrong_keys: WrongKeys, address: str, times: int) -> None:
    for _ in range(times):
        wrong_keys.require_patience(address)
        wrong_keys.note(address)


def test_that_one_ipv6_network_is_one_source() -> None:
    """A machine has 2 to the 64 addresses of its own."""
    wrong_keys = WrongKeys(FakeClock().now)
    _guess(wrong_keys, "2001:db8::1", WRONG_KEYS)
    wrong_keys.require_patience("2001:db8:0:1::1")
    with pytest.raises(TooManyWrongKeys):
        wrong_keys.require_patience("2001:db8::ffff:2")


def test_that_an_ipv4_address_is_the_same_however_it_is_written() -> None:
    """A listener for both families writes it as IPv6."""
    wrong_keys = WrongKeys(FakeClock().now)
    _guess(wrong_keys, "::ffff:10.0.0.9", WRONG_KEYS)
    wrong_keys.require_patience("::ffff:10.0.0.8")
    with pytest.raises(TooManyWrongKeys):
        wrong_keys.require_patience("10.0.0.9")


def test_that_its_memory_is_bounded_and_keeps_who_came_last() -> None:
    """However many addresses there are."""
    wrong_keys = WrongKeys(FakeClock().now)
    for number in range(MOST_SOURCES + 10):
        _guess(wrong_keys, f"10.0.{number // 256}.{number % 256}", WRONG_KEYS)
    assert len(wrong_keys) == MOST_SOURCES
    wrong_keys.require_patience("10.0.0.1")
    with pytest.raises(TooManyWrongKeys):
        wrong_keys.require_patience("10.0.4.9")


def test_that_a_source_without_an_address_is_one_too() -> None:
    """A unix socket has none."""
    wrong_keys = WrongKeys(FakeClock().now)
    _guess(wrong_keys, "", WRONG_KEYS)
    with pytest.raises(TooManyWrongKeys):
        wrong_keys.require_patience("")
