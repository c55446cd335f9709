"""The classifier of content that a configuration names, and what outlives the configuration."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from app.adapters.azure.entra import EntraCredential
from app.adapters.content_safety.azure import AzureContentSafety
from app.bootstrap.credentials import Identity
from app.bootstrap.safety import SafetyPlaces, content_safety
from app.settings import Settings, build
from tests.fakes.clock import FakeClock

ENDPOINT = "https://safety.cognitiveservices.azure.com"


@dataclass
class Lasting:
    """What credentials live on."""

    lifetimes: AsyncExitStack
    clock: FakeClock = field(default_factory=FakeClock)
    credentials: dict[Identity, EntraCredential] = field(default_factory=dict)


def settings(**section: Any) -> Settings:
    azure = {"endpoint": "https://x.openai.azure.com", "model": "gpt-4o", "kind": "paygo"}
    given: dict[str, Any] = {
        "deployments": {"d": azure | {"auth": {"api_key": "x"}}},
        "models": {"gpt-4o": {"tiers": [["d"]]}},
    }
    if section:
        given["content_safety"] = {"endpoint": f"{ENDPOINT}/", **section}
    return build(given)


async def test_without_a_section_there_is_none() -> None:
    """And nothing is opened."""
    async with AsyncExitStack() as lifetimes:
        known: SafetyPlaces = {}
        assert await content_safety(settings(), Lasting(lifetimes), known) is None
        assert known == {}


async def test_what_is_known_of_it_outlives_a_configuration() -> None:
    """A budget is not had again by a reload; limits and keys are the new ones."""
    async with AsyncExitStack() as lifetimes:
        on, known = Lasting(lifetimes), SafetyPlaces()
        first = await content_safety(settings(auth={"api_key": "one"}, timeout_ms=500), on, known)
        again = await content_safety(settings(auth={"api_key": "two"}, usd_per_day=3), on, known)
        assert isinstance(first, AzureContentSafety)
        assert isinstance(again, AzureContentSafety)
        assert first.standing is again.standing
        assert list(known) == [ENDPOINT]
        assert (first.limits.timeout_s, first.limits.usd_per_record) == (0.5, 0.00038)
        assert again.limits.bounds.usd_per_day == 3
        assert await again.credential.header() == ("api-key", "two")


async def test_an_identity_is_asked_for_cognitive_services() -> None:
    """With the scope that the section names, where it names one."""
    async with AsyncExitStack() as lifetimes:
        own = settings(auth={"entra": {"client_id": "me"}})
        scope = "https://cognitiveservices.azure.com/.default"
        assert own.content_safety is not None
        assert own.content_safety.entra_scope == scope
        other = settings(auth={"entra": {"scope": "https://other/.default"}})
        assert other.content_safety is not None
        assert other.content_safety.entra_scope == "https://other/.default"
        lasting = Lasting(lifetimes)
        made = await content_safety(own, lasting, {})
        assert isinstance(made, AzureContentSafety)
        assert list(lasting.credentials) == [Identity(scope, "me", None)]
