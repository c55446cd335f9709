from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from app.adapters import key_directory
from app.adapters.key_directory import MemoryKeyDirectory
from app.domain.api_key import ApiKey, KeyRecord, digest, mint
from app.domain.tenant import Principal, Tenant

PEPPER = b"pepper"
SEARCH = Tenant("search")


def new_key(seed: int) -> str:
    draw = random.Random(seed)
    return mint(environment="test", id_bytes=draw.randbytes(8), secret_bytes=draw.randbytes(32))


def record_of(key: str, tenant: str = "search", *, pepper: bytes = PEPPER) -> KeyRecord:
    parsed = ApiKey.parse(key)
    assert parsed
    return KeyRecord(parsed.id, tenant, digest(pepper, key), parsed.last4, 1)


def directory_of(*records: KeyRecord) -> MemoryKeyDirectory:
    return MemoryKeyDirectory(records, {"search": SEARCH}, PEPPER)


def test_a_known_key_is_its_tenants() -> None:
    """The principal names the tenant and the key's public id."""
    first, second = new_key(1), new_key(2)
    directory = directory_of(record_of(first), record_of(second))

    assert directory.find(first) == Principal(SEARCH, record_of(first).id)
    assert directory.find(second) == Principal(SEARCH, record_of(second).id)


def test_an_id_is_not_enough() -> None:
    """A well-formed key with a known id and another secret is nobody's."""
    known, other = new_key(1), new_key(2)
    stored = record_of(known)
    parsed = ApiKey.parse(other)
    assert parsed
    impostor = KeyRecord(parsed.id, "search", stored.digest, stored.last4, 1)

    assert directory_of(impostor).find(other) is None


@pytest.mark.parametrize("text", ["", "sk-something", "spg_test_", "\ud800", "a" * 10_000, "ключ"])
def test_other_texts_are_nobodys(text: str) -> None:
    """Whatever a caller sends is answered, not raised on."""
    assert directory_of(record_of(new_key(1))).find(text) is None


def test_a_key_of_a_tenant_that_is_gone_opens_nothing() -> None:
    """Taking a tenant out takes its keys out."""
    key = new_key(1)
    assert directory_of(record_of(key, "gone")).find(key) is None


def test_another_pepper_opens_nothing() -> None:
    """Digests are worth nothing without the pepper that made them."""
    key = new_key(1)
    assert directory_of(record_of(key, pepper=b"another")).find(key) is None


@dataclass
class Work:
    digests: int = 0
    comparisons: int = 0


def test_the_work_does_not_depend_on_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One digest and one comparison, whoever asks."""
    known, unknown = new_key(1), new_key(2)
    directory = directory_of(record_of(known))
    work = Work()
    compare = KeyRecord.matches

    def counted_digest(pepper: bytes, key: str) -> bytes:
        work.digests += 1
        return digest(pepper, key)

    def counted_comparison(record: KeyRecord, presented: bytes) -> bool:
        work.comparisons += 1
        return compare(record, presented)

    monkeypatch.setattr(key_directory, "digest", counted_digest)
    monkeypatch.setattr(KeyRecord, "matches", counted_comparison)
    for text in (known, unknown, "not a key"):
        before = (work.digests, work.comparisons)
        directory.find(text)
        assert (work.digests, work.comparisons) == (before[0] + 1, before[1] + 1)
