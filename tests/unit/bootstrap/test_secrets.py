from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from app.bootstrap.secrets import secrets_in
from app.cli.key import new_key
from app.settings import build
from app.settings.section import Secret, Section


def a_config(key: str) -> dict[str, Any]:
    azure = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    return {
        "admin": {"key": "the-owner's-key-1"},
        "redis": {
            "url": "rediss://user:pass%2Fword-of-redis@redis:6379/0",
            "cache_url": "redis://cache-only",
        },
        "budgets": {"webhook": "https://a-long-name-of-hooks.example/T0/B0/capability-0123456"},
        "keys": {"pepper": "a-pepper-of-32-characters-or-more"},
        "deployments": {"east": azure | {"auth": {"api_key": "key-of-east"}}},
        "models": {"gpt-4o": {"tiers": [["east"]]}},
        "tenants": {"search": {"keys": [key]}},
    }


def test_every_secret_of_a_configuration_is_found() -> None:
    """Wherever it stands; of a URL the password as well."""
    key = new_key("test")
    assert set(secrets_in(build(a_config(key)))) == {
        "the-owner's-key-1",
        "rediss://user:pass%2Fword-of-redis@redis:6379/0",
        "pass%2Fword-of-redis",
        "redis://cache-only",
        "https://a-long-name-of-hooks.example/T0/B0/capability-0123456",
        "capability-0123456",
        "a-pepper-of-32-characters-or-more",
        "key-of-east",
        key,
    }


@pytest.mark.parametrize(
    ("secret", "parts"),
    [
        ("Bearer a-token-that-is-long-enough", {"a-token-that-is-long-enough"}),
        ("InstrumentationKey=0123-4567-89ab-cdef;IngestionEndpoint=x", {"0123-4567-89ab-cdef"}),
        ("rediss://u:p%40ss@a-very-long-name-of-a-host:6379/0", {"p%40ss"}),
        ("a-secret-without-any-parts", set()),
    ],
)
def test_what_is_secret_by_itself_is_found(secret: str, parts: set[str]) -> None:
    """A token without its scheme, a password without its host, a value without its name."""
    assert set(secrets_in(SecretStr(secret))) == {secret, *parts}


class Inner(Section):
    tokens: dict[str, Secret]
    more: tuple[Secret, ...] = ()


def test_a_section_that_is_added_is_searched_as_it_is() -> None:
    """Secrets are found by their type."""
    inner = Inner(tokens={"a": SecretStr("one")}, more=(SecretStr("two"), SecretStr("://[")))
    assert list(secrets_in({"x": [inner]})) == ["one", "two", "://["]
