"""`check --probe`, in front of simulated deployments and a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from app.bootstrap.probing import probed
from app.bootstrap.simulation import pointed_at, simulated_deployments
from app.planner.probing.finding import Finding, State
from app.settings import Settings, build, load_catalog
from app.settings.upstream import Auth, Deployment
from app.simulator.server import serve_simulator

AZURE = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "auth": {"api_key": "right"}}
CLASSIC = {"api": "classic", "api_version": "2024-10-21"}


def config(redis_url: str, **cache: Any) -> Settings:
    return build(
        {
            "redis": {"url": redis_url, "operation_timeout_ms": 5000},
            "deployments": {
                "v1": {**AZURE, "model": "gpt-4o"},
                "classic": {**AZURE, **CLASSIC, "model": "gpt-4o"},
                "texts": {**AZURE, "model": "text-embedding-3-small"},
            },
            "models": {"gpt-4o": {"tiers": [["v1"]]}},
            "cache": cache,
        }
    )


def found(settings: Settings, changed: Callable[[Settings], Settings] = lambda same: same) -> Any:
    """By place, what is found of `changed` settings, while the simulator plays `settings`."""

    async def probing() -> list[Finding]:
        deployments = simulated_deployments(settings, load_catalog())
        async with serve_simulator(deployments, seed=1) as url:
            return await asyncio.to_thread(probed, changed(pointed_at(settings, url)))

    by_place: dict[str, list[Finding]] = {}
    for each in asyncio.run(probing()):
        by_place.setdefault(each.place, []).append(each)
    return by_place


def _deployment(settings: Settings, name: str, **update: Any) -> Settings:
    changed: Deployment = settings.deployments[name].model_copy(update=update)
    return settings.model_copy(update={"deployments": {**settings.deployments, name: changed}})


def test_that_what_is_right_is_found_right(redis_url: str) -> None:
    """Chat in both URL shapes, embeddings, and Redis; each says how long it took."""
    by_place = found(config(redis_url))
    assert set(by_place) == {"deployments.v1", "deployments.classic", "deployments.texts", "redis"}
    for place, (first, *others) in by_place.items():
        assert (place, first.state, others) == (place, State.OK, [])
        assert first.seconds is not None


def test_that_each_mistake_is_named(redis_url: str) -> None:
    """A wrong name, a wrong key, a wrong address; the others are not disturbed."""

    def wrong(settings: Settings) -> Settings:
        settings = _deployment(settings, "v1", deployment="gone")
        settings = _deployment(settings, "classic", deployment="gone")
        return _deployment(settings, "texts", endpoint="http://127.0.0.1:1")

    by_place = found(config(redis_url), wrong)
    said = {place: each[0].what for place, each in by_place.items() if place != "redis"}
    assert said["deployments.v1"].startswith("there is no deployment 'gone' at this endpoint: 404")
    assert said["deployments.classic"].startswith("there is no deployment 'gone'")
    assert said["deployments.texts"].startswith("upstream_unreachable: ")
    assert "ConnectionRefusedError" in said["deployments.texts"]  # as the system says it
    assert by_place["redis"][0].state is State.OK


def test_that_a_wrong_key_is_named_and_not_shown(redis_url: str) -> None:
    """What the service says of it is; the key is not."""

    def wrong(settings: Settings) -> Settings:
        auth = Auth.model_validate({"api_key": "not-the-right-key"})
        return _deployment(settings, "v1", auth=auth)

    (finding,) = found(config(redis_url), wrong)["deployments.v1"]
    assert finding.state is State.FAILED
    assert finding.what.startswith("the credential is not accepted: 401")
    assert "not-the-right-key" not in finding.what


def test_that_a_redis_out_of_reach_is_told() -> None:
    """With its place; a password in its URL is not shown."""
    settings = config("redis://user:a-secret-word@127.0.0.1:1/0")
    (finding,) = found(settings)["redis"]
    assert finding.state is State.FAILED
    assert finding.what.startswith("it is out of reach")
    assert "a-secret-word" not in finding.what


def test_that_the_search_module_is_looked_for(redis_url: str) -> None:
    """Where answers by meaning are on; the embedded server has one."""
    by_place = found(config(redis_url, semantic={"enabled": True}))
    assert [each.state for each in by_place["redis"]] == [State.OK]
