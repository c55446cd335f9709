"""Who waits for one deployment is not waited for by who may use another."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest

from app.cli.key import new_key
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

BODY = {"model": "gpt-4o", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}


class Two(NamedTuple):
    """The keys of a tenant that is bound, and of one that is free."""

    bound: str
    free: str

    def tenants(self, suffix: str, bound: dict[str, Any], free: dict[str, Any]) -> dict[str, Any]:
        """A section of a configuration."""
        return {
            f"bound-{suffix}": {"keys": [self.bound], **bound},
            f"free-{suffix}": {"keys": [self.free], **free},
        }


async def ask(team: Stack, key: str) -> tuple[int, str]:
    """The status and who answered."""
    url, headers = f"{team.base_url}/chat/completions", {"api-key": key}
    async with team.http.post(url, json=BODY, headers=headers) as answer:
        await answer.read()
        name = answer.headers.get("x-spillgate-deployment", "")
        return answer.status, name.removesuffix(f"-{team.suffix}")


async def in_line(team: Stack, key: str) -> asyncio.Task[tuple[int, str]]:
    """A request that waits."""
    waiting = asyncio.create_task(ask(team, key))
    await eventually(lambda: team.process.resources.waiting.waiting == 1)
    return waiting


def hold(team: Stack, name: str, for_s: float) -> None:
    """It asked not to be asked for so long."""
    resources = team.process.resources
    resources.holds.hold(team.name(name), resources.clock.now() + for_s)


@pytest.mark.parametrize("classes", [("batch", "batch"), ("critical", "standard")])
async def test_a_tenant_of_another_zone_is_not_waited_for(
    redis_url: str, classes: tuple[str, str]
) -> None:
    """There is room in the US all the time; in the EU it is waited for."""
    two = Two(new_key("test"), new_key("test"))

    def two_zones(suffix: str) -> dict[str, Any]:
        config = ptu_and_paygo(suffix)
        _, eu, us = config["deployments"]
        config["deployments"][eu]["data_zone"] = "eu"
        config["deployments"][us]["data_zone"] = "us"
        config["models"] = {"gpt-4o": {"tiers": [[eu], [us]]}}
        bound = {"data_zones": ["eu"], "class": classes[0]}
        tenants = two.tenants(suffix, bound, {"class": classes[1]})
        return config | {"tenants": tenants, "routing": {"wait_s": {"critical": 5.0}}}

    async with stack(redis_url, two_zones) as team:
        hold(team, "paygo-a", 4.0)
        waiting = await in_line(team, two.bound)
        for _ in range(5):
            assert await ask(team, two.free) == (200, "paygo-b")
        assert not waiting.done()
        assert await waiting == (200, "paygo-a")


async def test_who_may_spill_does_not_wait_for_who_may_not(redis_url: str) -> None:
    """One waits for the PTU; the other goes past it, and comes back when there is room for both."""
    two = Two(new_key("test"), new_key("test"))

    def one_may_not(suffix: str) -> dict[str, Any]:
        bound = {"spill": "deny", "class": "batch"}
        return ptu_and_paygo(suffix) | {"tenants": two.tenants(suffix, bound, {"class": "batch"})}

    async with stack(redis_url, one_may_not) as team:
        hold(team, "ptu", 4.0)
        waiting = await in_line(team, two.bound)
        for _ in range(5):
            status, name = await ask(team, two.free)
            assert (status, name[:5]) == (200, "paygo")
        assert not waiting.done()
        assert await waiting == (200, "ptu")
        assert await ask(team, two.free) == (200, "ptu")
