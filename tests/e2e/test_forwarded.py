"""Clients behind proxies: who is believed of whom it asks for, on both listeners."""

from __future__ import annotations

from typing import Any

from tests.e2e.raw import CHAT_PATH, chat
from tests.e2e.stack import Stack, ptu_and_paygo, stack

CLIENT, OTHER = "203.0.113.9", "203.0.113.10"


def _behind_proxies(suffix: str) -> dict[str, Any]:
    listen = {"port": 0, "admin_port": 0, "trusted_proxies": ["127.0.0.0/8"]}
    return ptu_and_paygo(suffix) | {"listen": listen}


async def _client_in_the_record(team: Stack, forwarded_for: str) -> str | None:
    headers = {"api-key": team.key, "x-forwarded-for": forwarded_for}
    url = team.process.data_url + CHAT_PATH
    async with team.http.post(url, data=chat(), headers=headers) as answer:
        assert answer.status == 200
        return (await team.receipt(answer.headers["x-request-id"])).client


async def _shows_wrong_key(team: Stack, forwarded_for: str) -> int:
    headers = {"authorization": "Bearer wrong", "x-forwarded-for": forwarded_for}
    url = f"{team.process.admin_url}/admin/v1/me"
    async with team.http.get(url, headers=headers) as answer:
        return answer.status


async def test_behind_a_trusted_proxy(redis_url: str) -> None:
    """Records name the client; who guesses keys is refused, and nobody else behind the proxy."""
    async with stack(redis_url, _behind_proxies) as team:
        assert await _client_in_the_record(team, f"10.0.0.1, {CLIENT}") == CLIENT
        assert await _client_in_the_record(team, f"{CLIENT}, 127.0.0.2") == CLIENT
        assert await _client_in_the_record(team, "unknown") == "127.0.0.1"
        told = [await _shows_wrong_key(team, CLIENT) for _ in range(11)]
        assert told == [401] * 10 + [429]
        assert await _shows_wrong_key(team, OTHER) == 401


async def test_nobody_is_believed_by_default(redis_url: str) -> None:
    """Another name for each guess is no way round, and no way into the record."""
    async with stack(redis_url, ptu_and_paygo) as team:
        assert await _client_in_the_record(team, CLIENT) == "127.0.0.1"
        told = [await _shows_wrong_key(team, f"203.0.113.{number}") for number in range(11)]
        assert told == [401] * 10 + [429]
