"""What an endpoint may answer, and which of its keys are taken."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from jwt.algorithms import RSAAlgorithm

from app.adapters.identity import jwks
from app.adapters.identity.jwks import JwksUnavailable, jwks_endpoint, signing_keys
from tests.fakes.issuer import DIRECTORY, STRANGER, V2_ISSUER, jwk, published, rsa_key

COMMON = "https://login.microsoftonline.com/{tenantid}/v2.0"


def taken(*entries: Any) -> set[str]:
    """The ids of the keys that are taken out of a set of these."""
    return set(signing_keys(json.dumps({"keys": entries}).encode(), DIRECTORY))


@pytest.mark.parametrize(
    "more", [{}, {"issuer": COMMON}, {"alg": "RS256"}, {"x5c": ["MII"], "x5t": "x"}]
)
def test_an_rsa_key_of_the_directory_is_taken(more: dict[str, Any]) -> None:
    """As Entra ID publishes it; an issuer with a placeholder is every directory's."""
    assert taken(jwk("k", **more)) == {"k"}
    assert signing_keys(json.dumps({"keys": [jwk("k")]}).encode(), DIRECTORY) == {
        "k": rsa_key("k").public_key()
    }


def test_keys_without_use_or_issuer_are_taken() -> None:
    """Other issuers say less."""
    assert taken({part: jwk("k")[part] for part in ("kty", "n", "e", "kid")}) == {"k"}


@pytest.mark.parametrize(
    "entry",
    [
        jwk("k", use="enc"),
        jwk("k", alg="RS512"),
        jwk("k", kty="oct", k="c2VjcmV0"),
        jwk("k", kid=None),
        jwk("k", kid=7),
        jwk("k", n="!"),
        jwk("k", n="AQAB"),
        jwk("k", n=None),
        jwk("k", e=3),
        jwk("k", d="AQAB"),
        jwk("k", **RSAAlgorithm.to_jwk(rsa_key("k"), as_dict=True)),
        jwk("k", issuer=V2_ISSUER.replace(DIRECTORY, STRANGER)),
        jwk("k", issuer=7),
        "k",
        None,
        [],
    ],
    ids=range(16),
)
def test_what_cannot_sign_for_the_directory_is_passed_over(entry: Any) -> None:
    """Other uses, algorithms, directories, weak or malformed numbers; the rest still counts."""
    assert taken(entry, jwk("good")) == {"good"}


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    """Adding an entry at the end replaces none."""
    other = jwk("other", kid="k")
    found = signing_keys(json.dumps({"keys": [jwk("k"), other]}).encode(), DIRECTORY)
    assert found == {"k": rsa_key("k").public_key()}


async def test_a_published_set_is_fetched() -> None:
    """Over HTTP on loopback, as often as asked."""
    async with published() as publisher, jwks_endpoint(publisher.url, DIRECTORY) as endpoint:
        assert set(await endpoint.fetch()) == {"key-1"}
        publisher.keys.append(jwk("key-2"))
        assert set(await endpoint.fetch()) == {"key-1", "key-2"}
        assert publisher.asked == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: web.Response(status=503), "status is 503"),
        (lambda: web.Response(status=302, headers={"location": "/keys"}), "status is 302"),
        (lambda: web.Response(body=b"<html>"), "no JWK set"),
        (lambda: web.Response(body=b"[]"), "no JWK set"),
        (lambda: web.Response(body=b"[" * 100_000), "no JWK set"),
        (lambda: web.Response(body=b"\xff"), "no JWK set"),
        (lambda: web.Response(body=b'{"keys": []}'), "no RSA key"),
        (lambda: web.Response(body=b'{"keys": 7}'), "no RSA key"),
        (lambda: web.Response(body=b" " * (jwks.MAX_BODY_BYTES + 1)), "is over"),
    ],
)
async def test_any_other_answer_is_none(answer: Callable[[], web.Response], reason: str) -> None:
    """Errors, redirects, other documents, too much: known keys are not replaced by them."""
    async with published() as publisher, jwks_endpoint(publisher.url, DIRECTORY) as endpoint:
        publisher.instead = answer
        with pytest.raises(JwksUnavailable, match=reason):
            await endpoint.fetch()
        assert publisher.asked == 1


async def test_an_endpoint_that_is_not_there_says_so() -> None:
    """Nothing but our own exception comes out."""
    async with published() as publisher:
        url = publisher.url
    async with jwks_endpoint(url, DIRECTORY) as endpoint:
        with pytest.raises(JwksUnavailable):
            await endpoint.fetch()


async def test_a_frozen_endpoint_costs_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole fetch is bounded, whatever trickles in."""
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT_S", 0.1)
    async with published() as publisher, jwks_endpoint(publisher.url, DIRECTORY) as endpoint:
        publisher.answers.clear()
        before = time.monotonic()
        with pytest.raises(JwksUnavailable):
            await endpoint.fetch()
        assert time.monotonic() - before < 20
