"""Nothing is accepted and ignored in silence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import load, unsupported

TENANT = "tenants: {t: {%s}}\n"


def test_a_plain_configuration_has_nothing_unsupported(
    write: Callable[[str], Path], minimal: str
) -> None:
    """Defaults and values equal to them are no warning."""
    text = minimal + TENANT % "class: standard, spill: allow, redis_loss: local_share"
    assert unsupported(load(write(text), {})) == []


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("listen: {workers: 2}", []),
        ("listen: {tls: {cert: a, key: b}}", []),
        ("listen: {trusted_proxies: [10.0.0.0/8]}", ["listen.trusted_proxies"]),
        ("redis: {url: redis://x}", []),
        ("redis: {url: redis://x, cluster: true}", []),
        ("redis: {url: redis://x, cache_url: redis://y}", []),
        (TENANT % "class: batch, ptu_share: 0.5, ptu_weight: 2", []),
        (TENANT % "spill: deny, data_zones: [us], regions: [eastus]", []),
        (TENANT % "spill: {usd_per_day: 1}", []),
        (TENANT % "spill: {usd_per_hour: 1}", []),
        (TENANT % "spill: {usd_per_hour: 1, usd_per_day: 5}", []),
        (TENANT % "cache: {exact: {enabled: true}}", []),
        ("cache: {semantic: {enabled: true}}", []),
    ],
)
def test_what_is_not_built_yet_is_named(
    text: str, parts: list[str], write: Callable[[str], Path], minimal: str
) -> None:
    """Each by the path under which the operator wrote it."""
    assert unsupported(load(write(minimal + text), {})) == parts
