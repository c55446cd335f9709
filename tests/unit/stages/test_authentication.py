"""Who is calling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.identity.tenant import Principal, Tenant
from app.errors import InvalidApiKey
from app.stages.authentication import Authentication
from tests.fakes.keys import FakeKeyDirectory

KEY = "key-of-acme"


class NoCallerTokens:
    """Knows nobody, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def find(self, token: str) -> Principal | None:
        self.asked += bool(token)
        return None


authentication = Authentication(FakeKeyDirectory(Tenant("acme"), Tenant("rival")))


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
        {"authorization": f"Bearer  {KEY} "},
        {"api-key": KEY},
        {"api-key": KEY, "authorization": f"Bearer {KEY}"},
        {"api-key": KEY, "authorization": f"bearer  {KEY} "},
        {"api-key": KEY, "authorization": "Bearer placeholder"},
        {"api-key": KEY, "authorization": "Bearer eyJhbGciOi"},
        {"api-key": KEY, "authorization": "Basic c3BnOnNwZw=="},
        {"api-key": "", "authorization": f"Bearer {KEY}"},
    ],
)
async def test_a_key_is_taken_from_either_header(headers: dict[str, str]) -> None:
    """All forms that SDKs send; the specific header counts where both are there."""
    principal = await authentication.principal(headers)
    assert (principal.tenant.name, principal.key_id) == ("acme", "id-of-acme")


async def test_a_wrong_specific_key_is_not_saved_by_the_other() -> None:
    """There is one identity, never a choice between two."""
    with pytest.raises(InvalidApiKey):
        await authentication.principal({"api-key": "wrong", "authorization": f"Bearer {KEY}"})


@pytest.mark.parametrize(
    "other",
    ["key-of-rival", "spg_live_0_revoked", "k, Bearer spg_live_0_of-rival", "eyJh.eyJh.c2ln"],
)
async def test_two_identities_are_none(other: str) -> None:
    """Whose request it is must not depend on which header is read first."""
    tokens = NoCallerTokens()
    both = Authentication(FakeKeyDirectory(Tenant("acme"), Tenant("rival")), tokens)
    with pytest.raises(InvalidApiKey, match="'api-key' and 'Authorization'") as caught:
        await both.principal({"api-key": KEY, "authorization": f"Bearer {other}"})
    assert KEY not in caught.value.message
    assert other not in caught.value.message
    assert tokens.asked == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"authorization": f"Bearer{KEY}"},
        {"x-api-key": KEY},
    ],
)
async def test_without_a_key_the_refusal_says_where_to_put_it(headers: dict[str, str]) -> None:
    """Nothing that is not a key in its place is looked at."""
    with pytest.raises(InvalidApiKey, match="didn't provide"):
        await authentication.principal(headers)


@given(st.text(min_size=1).filter(lambda text: text.strip() == text and "key-of" not in text))
async def test_no_other_text_is_a_key_nor_repeated(text: str) -> None:
    """What was sent may be a secret of somewhere else: the refusal is the same for all."""
    with pytest.raises(InvalidApiKey) as caught:
        await authentication.principal({"api-key": text})
    assert caught.value.message == "Incorrect API key provided."


async def test_two_keys_in_one_header_are_none() -> None:
    """Repeated headers arrive joined, and a joined text is nobody's key."""
    with pytest.raises(InvalidApiKey):
        await authentication.principal({"authorization": f"Bearer {KEY}, Bearer key-of-rival"})
