"""Keys: made, read back, and refused after any damage."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.identity.api_key import ApiKey, KeyRecord, digest, mint
from app.settings.key_format import KEY_LENGTH

KEY = mint(environment="live", id_bytes=bytes(range(8)), secret_bytes=bytes(range(32)))
BODY_LENGTH = KEY_LENGTH - 6

environments = st.sampled_from(["live", "test"])


@given(environments, st.binary(min_size=8, max_size=8), st.binary(min_size=32, max_size=32))
def test_minted_key_reads_back(environment: str, id_bytes: bytes, secret_bytes: bytes) -> None:
    """What is minted parses, as text and as bytes, with its own environment."""
    key = mint(environment=environment, id_bytes=id_bytes, secret_bytes=secret_bytes)  # type: ignore[arg-type] # hypothesis knows no literals
    read = ApiKey.parse(key)
    assert read is not None
    assert read == ApiKey.parse(key.encode())
    assert (read.environment, len(read.id), read.last4) == (environment, 10, key[-4:])
    assert len(key) == KEY_LENGTH


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=2, unique=True))
def test_different_secrets_make_different_keys(secrets: list[bytes]) -> None:
    """All 256 bits are in the key: 43 base62 digits lose none."""
    keys = {mint(environment="live", id_bytes=bytes(8), secret_bytes=secret) for secret in secrets}
    assert len(keys) == 2


def test_smallest_and_largest_numbers_fill_the_same_length() -> None:
    """Zeros pad the left, and the largest number still fits."""
    smallest = mint(environment="test", id_bytes=bytes(8), secret_bytes=bytes(32))
    largest = mint(environment="test", id_bytes=b"\xff" * 8, secret_bytes=b"\xff" * 32)
    assert smallest.startswith("spg_test_0000000000_" + "0" * 43)
    assert len(smallest) == len(largest) == 69
    assert ApiKey.parse(largest)


@given(st.integers(0, KEY_LENGTH - 1), st.characters())
def test_any_single_changed_character_is_refused(position: int, character: str) -> None:
    """Put any other character anywhere, and it is no key."""
    changed = KEY[:position] + character + KEY[position + 1 :]
    assert (ApiKey.parse(changed) is None) == (changed != KEY)


def test_checksum_finds_every_difference_of_one_byte() -> None:
    """CRC is linear, so trying all differences on zeros proves it for every key."""
    untouched = crc32(bytes(BODY_LENGTH))
    for position in range(BODY_LENGTH):
        for difference in range(1, 256):
            damaged = bytearray(BODY_LENGTH)
            damaged[position] = difference
            assert (crc32(bytes(damaged)) ^ untouched) & 0xFFFFFF


@given(st.text() | st.binary())
def test_junk_is_no_key_and_raises_nothing(junk: str | bytes) -> None:
    """Non-ASCII, NUL, lone surrogates and any bytes are simply not a key."""
    assert ApiKey.parse(junk) is None


@pytest.mark.parametrize(
    "text",
    [
        KEY + "\n",
        " " + KEY,
        KEY.upper(),
        KEY[:-1],
        KEY + "0",
        KEY.replace("live", "prod"),
        KEY[:-6] + KEY[-6:].upper() + "x",
        "spg_" * 4096,
        "é" * KEY_LENGTH,
        "\ud800" * KEY_LENGTH,
        "",
    ],
)
def test_lookalikes_are_refused(text: str) -> None:
    """White space, case, length, other environments and other alphabets are not accepted."""
    assert ApiKey.parse(text) is None


def test_repr_shows_neither_secret_nor_digest() -> None:
    """Values may end in a log line."""
    record = KeyRecord("id", "team", digest(b"pepper", KEY), "abcd", 1)
    assert KEY[20:] not in repr(ApiKey.parse(KEY))
    assert repr(record.digest) not in repr(record)
    with pytest.raises(FrozenInstanceError):
        record.tenant = "other"  # type: ignore[misc] # the point of the test


def test_record_matches_only_its_own_key_and_pepper() -> None:
    """The digest depends on both, and comparing works on any bytes."""
    record = KeyRecord("id", "team", digest(b"pepper", KEY), KEY[-4:], 1)
    assert record.matches(digest(b"pepper", KEY))
    assert not record.matches(digest(b"other", KEY))
    assert not record.matches(digest(b"pepper", KEY[:-1] + "~"))
    assert not record.matches(b"")
    assert len(record.digest) == 32


def test_digest_is_hmac_sha256() -> None:
    """RFC 4231, test case 2: stored digests stay readable by later versions."""
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert digest(b"Jefe", "what do ya want for nothing?").hex() == expected


@pytest.mark.parametrize(
    ("environment", "id_bytes", "secret_bytes"),
    [("prod", 8, 32), ("live", 7, 32), ("live", 8, 31), ("live", 8, 33)],
)
def test_minting_refuses_wrong_material(environment: str, id_bytes: int, secret_bytes: int) -> None:
    """Too little randomness is a defect of the caller, not a weaker key."""
    with pytest.raises(ValueError, match=r"live or test|random bytes"):
        mint(
            environment=environment,  # type: ignore[arg-type] # the point of the test
            id_bytes=bytes(id_bytes),
            secret_bytes=bytes(secret_bytes),
        )
