"""Tokens of a test directory: which are believed, and how often they are looked at."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives import serialization

from app.adapters.identity.caller_tokens import (
    MAX_REFUSED,
    MAX_TOKEN_CHARS,
    REFUSED_FOR_S,
    EntraCallerTokens,
    Expected,
)
from app.adapters.identity.jwks import JwksUnavailable, SigningKeySet
from app.adapters.identity.signing_keys import SigningKeys
from app.domain.identity.caller_token import CallerRules
from app.domain.identity.tenant import Principal, Tenant
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.issuer import (
    APPLICATION,
    AUDIENCE,
    DIRECTORY,
    GROUP,
    OBJECT,
    STRANGER,
    V1_ISSUER,
    V2_ISSUER,
    claims,
    forged,
    rsa_key,
    signed,
)

ACME = Tenant("acme")
RULES = CallerRules(objects={}, applications={APPLICATION: ACME}, groups={GROUP: ACME})
EXPECTED = Expected(DIRECTORY, (V1_ISSUER, V2_ISSUER), (AUDIENCE, "api://other"))


class Directory:
    """The directory, the clock, and what the gateway makes of its tokens."""

    def __init__(self) -> None:
        """It has one key and answers."""
        self.clock = FakeClock()
        self.names = ["key-1"]
        self.up = True
        self.fetches = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.keys = SigningKeys(self.fetch, self.clock, lambda: 0.0)
        self.rules = RULES
        self.tokens = EntraCallerTokens(self.keys, EXPECTED, lambda: self.rules, self.clock)

    async def fetch(self) -> SigningKeySet:
        self.fetches += 1
        await self.answers.wait()
        if not self.up:
            raise JwksUnavailable("down")
        return {name: rsa_key(name).public_key() for name in self.names}

    def token(self, *, key: str = "key-1", kid: str | None = "", **changes: Any) -> str:
        return signed(claims(self.clock.unix(), **changes), key, kid)

    async def key_id(self, token: str) -> str | None:
        found = await self.tokens.find(token)
        return found.key_id if found else None


@pytest.fixture
async def directory() -> AsyncIterator[Directory]:
    made = Directory()
    async with made.keys:
        yield made


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iss": V2_ISSUER, "appid": None, "azp": APPLICATION, "ver": "2.0"},
        {"aud": "api://other"},
        {"tid": DIRECTORY.upper()},
        {"tid": None},
        {"nbf": None},
        {"oid": None},
    ],
)
async def test_a_token_of_the_directory_is_its_applications(
    directory: Directory, changes: dict[str, Any]
) -> None:
    """Of both versions, for any audience that is configured, with what may be left out."""
    assert await directory.key_id(directory.token(**changes)) == f"entra:{APPLICATION}"


async def test_a_group_lets_its_members_in_under_their_own_id(directory: Directory) -> None:
    """Who shares a tenant through a group stays apart in the ledger."""
    token = directory.token(appid=STRANGER, groups=[STRANGER, GROUP])
    assert await directory.key_id(token) == f"entra:{OBJECT}"


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "api://spillgate/"},
        {"aud": "https://graph.microsoft.com"},
        {"aud": None},
        {"aud": []},
        {"aud": {"api://spillgate": 1}},
        {"iss": V1_ISSUER.rstrip("/")},
        {"iss": V1_ISSUER.replace(DIRECTORY, STRANGER)},
        {"iss": None},
        {"tid": STRANGER},
        {"exp": None},
        {"exp": 1_000_000_000},
        {"exp": "9999999999"},
        {"nbf": 9_000_000_000},
        {"appid": STRANGER},
        {"appid": None},
        {"azp": STRANGER},
    ],
    ids=str,
)
async def test_a_signed_token_that_says_something_else_is_refused(
    directory: Directory, changes: dict[str, Any]
) -> None:
    """The signature alone opens nothing: Entra ID signs for every directory with the same keys."""
    assert await directory.key_id(directory.token(**changes)) is None
    assert directory.tokens.verifications == 1


def public_pem(name: str) -> bytes:
    """The public key as everybody can have it."""
    return (
        rsa_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def hs256(payload: dict[str, Any], secret: bytes) -> str:
    """Signed with a secret that everybody knows; PyJWT refuses to make such a token."""
    unsigned = forged({"alg": "HS256", "typ": "JWT", "kid": "key-1"}, payload).rstrip(".")
    return forged(
        {"alg": "HS256", "typ": "JWT", "kid": "key-1"},
        payload,
        hmac.new(secret, unsigned.encode(), hashlib.sha256).digest(),
    )


async def test_no_other_algorithm_is_taken(directory: Directory) -> None:
    """What the header asks for is not obeyed: none, HMAC with the public key, other RSA ones."""
    said = claims(directory.clock.unix())
    genuine = directory.token()
    signature = genuine.rsplit(".", 1)[1]
    tokens = [
        *(forged({"alg": alg, "kid": "key-1"}, said) for alg in ("none", "None", "", None)),
        hs256(said, public_pem("key-1")),
        hs256(said, b""),
        *(
            forged({"alg": alg, "kid": "key-1"}, said).rstrip(".") + "." + signature
            for alg in ("RS384", "PS256", "rs256")
        ),
    ]
    assert [await directory.key_id(token) for token in tokens] == [None] * len(tokens)
    assert directory.tokens.verifications == 0, "refused before any key was used"
    assert await directory.key_id(genuine)


async def test_a_signature_by_another_key_is_refused(directory: Directory) -> None:
    """Under the known key's name, under its own, and under none."""
    tokens = [
        directory.token(key="mallory", kid="key-1"),
        directory.token(key="mallory"),
        directory.token(kid=None),
    ]
    assert [await directory.key_id(token) for token in tokens] == [None, None, None]


async def test_a_changed_token_is_refused(directory: Directory) -> None:
    """Of a genuine token, no part may be another's; a verified one does not vouch for it."""
    token = directory.token()
    assert await directory.key_id(token)
    head, body, signature = token.split(".")
    other = directory.token(appid=STRANGER, groups=[GROUP]).split(".")[1]
    for changed in (
        f"{head}.{other}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-8]}AAAAAAAA",
        f"{head}.{body}.{signature}.{signature}",
    ):
        assert await directory.key_id(changed) is None


@pytest.mark.parametrize(
    "text",
    [
        "eyJ..",
        "eyJhbGciOiJSUzI1NiJ9.e30.AAAA",
        "eyJ\u00e9.a.b",
        "eyJ" + "a" * MAX_TOKEN_CHARS + ".b.c",
        forged({"alg": "RS256", "kid": 7}, {}),
        forged({"alg": "RS256", "kid": ["key-1"]}, {}),
        forged({"alg": "RS256", "kid": "key-1", "crit": ["x"], "x": 1}, {}),
        forged({"alg": ["RS256"], "kid": "key-1"}, {}),
        forged({"alg": "RS256", "kid": "key-1", "b64": False}, {}),
        "eyJh." + "a.b",
    ],
    ids=range(10),
)
async def test_what_only_looks_like_a_token_is_refused(directory: Directory, text: str) -> None:
    """Malformed in any part, too long, or not in ASCII."""
    assert await directory.key_id(text) is None


async def test_deep_nesting_is_refused(directory: Directory) -> None:
    """A header of thousands of brackets is no way to end the process."""
    nested = b'{"alg":"RS256","kid":' + b"[" * 9000
    header = base64.urlsafe_b64encode(nested).decode()
    assert await directory.key_id(f"{header}.e30.AAAA") is None


async def test_a_thousand_requests_verify_once() -> None:
    """Those that come before the first keys are there, all at once, and those that come later."""
    directory = Directory()
    token = directory.token()
    directory.answers.clear()
    async with directory.keys:
        crowd = [asyncio.create_task(directory.key_id(token)) for _ in range(500)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in crowd)
        directory.answers.set()
        found = await asyncio.gather(*crowd, *(directory.key_id(token) for _ in range(500)))
    assert found == [f"entra:{APPLICATION}"] * 1000
    assert (directory.tokens.verifications, directory.fetches) == (1, 1)


async def test_tokens_that_begin_alike_are_apart(directory: Directory) -> None:
    """The whole token is remembered: header and half of the claims are the same for many."""
    known = directory.token(zzz="a")
    assert await directory.key_id(known)
    stranger = directory.token(zzz="b", azp=STRANGER)
    assert stranger[:100] == known[:100]
    assert await directory.key_id(stranger) is None


async def test_a_remembered_token_ends_when_it_ends(directory: Directory) -> None:
    """Being remembered makes no token older than its directory said, plus the leeway."""
    token = directory.token()
    assert await directory.key_id(token)
    directory.clock.advance(3659)
    assert await directory.key_id(token)
    assert directory.tokens.verifications == 1
    directory.clock.advance(1)
    assert await directory.key_id(token) is None


async def test_a_token_is_let_in_a_minute_before_it_begins(directory: Directory) -> None:
    """Clocks differ; what is refused for coming too soon is looked at again."""
    token = directory.token(nbf=int(directory.clock.unix()) + 70)
    assert await directory.key_id(token) is None
    directory.clock.advance(REFUSED_FOR_S)
    assert await directory.key_id(token)


async def test_a_refused_token_is_verified_once_in_a_while(directory: Directory) -> None:
    """A client that retries in a loop costs a hash; flooding with others bounds what is kept."""
    token = directory.token(aud="api://elsewhere")
    for _ in range(100):
        assert await directory.key_id(token) is None
    assert directory.tokens.verifications == 1
    for number in range(MAX_REFUSED):
        assert await directory.key_id(f"eyJ{number}.a.b") is None
    assert await directory.key_id(token) is None
    assert directory.tokens.verifications == 2


async def test_a_change_of_rules_waits_for_nothing(directory: Directory) -> None:
    """Neither for who was let in before nor for who was refused; nothing is verified again."""
    token, stranger = directory.token(), directory.token(appid=STRANGER)
    assert await directory.key_id(token)
    assert await directory.key_id(stranger) is None
    directory.rules = CallerRules({}, {STRANGER: Tenant("sales")}, {})
    assert await directory.key_id(token) is None
    found = await directory.tokens.find(stranger)
    assert found == Principal(Tenant("sales"), f"entra:{STRANGER}")
    assert directory.tokens.verifications == 2


async def test_a_flood_of_forgeries_does_not_push_out_callers(directory: Directory) -> None:
    """What was refused and what was accepted are kept apart."""
    token = directory.token()
    assert await directory.key_id(token)
    for number in range(2 * MAX_REFUSED):
        await directory.key_id(f"eyJ{number}.a.b")
    assert await directory.key_id(token)
    assert directory.tokens.verifications == 1


async def test_a_withdrawn_key_takes_its_tokens_along(directory: Directory) -> None:
    """Once the directory does not publish a key any more, what it signed is worth nothing."""
    token = directory.token()
    assert await directory.key_id(token)
    directory.names = ["key-2"]
    assert await directory.key_id(directory.token(key="key-2"))
    assert await directory.key_id(token) is None


async def test_unknown_is_not_refused_while_the_keys_are_out_of_reach() -> None:
    """A 503, which clients retry, and not a 401; nothing of it is remembered."""
    directory = Directory()
    directory.up = False
    async with directory.keys:
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await directory.key_id(directory.token())
        directory.up = True
        with structlog.testing.capture_logs():
            async with asyncio.timeout(20):
                while directory.fetches < 2:  # the task's first retry comes after a second
                    await asyncio.sleep(0.01)
        assert await directory.key_id(directory.token()) == f"entra:{APPLICATION}"


async def test_the_log_says_why_and_never_what(directory: Directory) -> None:
    """The operator learns which id to add; no part of the token's signature is written."""
    tokens = [
        directory.token(appid=STRANGER),
        directory.token(aud="api://elsewhere"),
        directory.token(exp=1_000_000_000),
        directory.token(key="mallory", kid="key-1"),
    ]
    with structlog.testing.capture_logs() as lines:
        for token in tokens:
            for _ in range(3):
                await directory.key_id(token)
    warnings = [line for line in lines if line["log_level"] == "warning"]
    assert [line["reason"] for line in warnings] == [
        "no tenant has its application, object or groups",
        "it is made out for another audience",
        "it has expired",
    ]
    assert warnings[0]["application"] == STRANGER
    for token in tokens:
        assert all(part not in str(lines) for part in token.split("."))
