"""The classifier of content of a configuration; what is known of it outlives the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from pydantic import SecretStr

from app.adapters.azure.credentials import ApiKeyCredential, Credential
from app.bootstrap.credentials import Lifetimes, entra_credential
from app.domain.policy.safety_budget import SafetyBounds
from app.domain.routing.deployment import Api
from app.ports.safety import ContentSafety
from app.settings import Entra, Settings
from app.settings.content_safety import ContentSafety as Section

if TYPE_CHECKING:  # an HTTP client, only for those who check texts
    from app.adapters.content_safety.azure import Post, SafetyStanding


class SafetyPlace(msgspec.Struct, frozen=True):
    """A resource that has been asked: the way to it, and what is known of it."""

    post: Post
    standing: SafetyStanding


#: By endpoint.
SafetyPlaces = dict[str, SafetyPlace]


async def content_safety(
    settings: Settings, on: Lifetimes, known: SafetyPlaces
) -> ContentSafety | None:
    """None where the configuration names no resource."""
    section = settings.content_safety
    if section is None:
        return None
    from app.adapters.content_safety.azure import AzureContentSafety, SafetyLimits  # noqa: PLC0415  # as above

    place = await _place(section.endpoint, on, known)
    limits = SafetyLimits(
        timeout_s=section.timeout_ms / 1000,
        usd_per_record=section.usd_per_1000_records / 1000,
        bounds=SafetyBounds(section.calls_per_s, section.usd_per_day, section.tenant_part),
    )
    credential = await _credential(section, on)
    return AzureContentSafety(place.post, credential, place.standing, limits, section.api_version)


async def _place(endpoint: str, on: Lifetimes, known: SafetyPlaces) -> SafetyPlace:
    if endpoint not in known:
        from app.adapters.content_safety.azure import SafetyStanding  # noqa: PLC0415  # as above
        from app.adapters.content_safety.http import posting  # noqa: PLC0415  # as above

        post = await on.lifetimes.enter_async_context(posting(endpoint))
        known[endpoint] = SafetyPlace(post, SafetyStanding(on.clock))
    return known[endpoint]


async def _credential(section: Section, on: Lifetimes) -> Credential:
    if isinstance(section.auth.api_key, SecretStr):
        return ApiKeyCredential(section.auth.api_key.get_secret_value(), Api.CLASSIC)
    entra = section.auth.entra or Entra()
    return await entra_credential(entra, section.entra_scope, on)
