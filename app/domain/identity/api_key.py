"""A tenant's key: read, made, and compared with what is stored of it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final, Literal

from app.settings.key_format import (
    BASE62,
    ID_LENGTH,
    SECRET_LENGTH,
    checksum,
    key_parts,
)

ID_BYTES: Final = 8
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A well-formed key; whether it is anybody's, its record decides."""

    environment: str
    id: str
    text: str = field(repr=False)

    @classmethod
    def parse(cls, text: str | bytes) -> ApiKey | None:
        """Read a key as presented; None when it is not well-formed. Never raises."""
        parts = key_parts(text)
        if parts is None:
            return None
        shown = text.decode("ascii") if isinstance(text, bytes) else text
        return cls(environment=parts.environment, id=parts.id, text=shown)

    @property
    def last4(self) -> str:
        """The last four characters, which may be shown to tell keys apart."""
        return self.text[-4:]


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What is stored of a key: nothing it could be recovered from."""

    id: str
    tenant: str
    digest: bytes = field(repr=False)
    last4: str
    pepper_version: int

    def matches(self, presented: bytes) -> bool:
        """Whether `presented` is the stored digest; takes the same time wherever they differ."""
        return hmac.compare_digest(self.digest, presented)


def mint(*, environment: Literal["live", "test"], id_bytes: bytes, secret_bytes: bytes) -> str:
    """Make a key from 8 and 32 random bytes; ValueError when they are fewer or more."""
    if environment not in {"live", "test"}:
        msg = "a key's environment is live or test"
        raise ValueError(msg)
    identity = _base62(id_bytes, ID_BYTES, ID_LENGTH)
    secret = _base62(secret_bytes, SECRET_BYTES, SECRET_LENGTH)
    body = f"spg_{environment}_{identity}_{secret}"
    return body + checksum(body.encode()).decode()


def digest(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA-256 of a key under the pepper, 32 bytes.

    A fast hash is right here: 256 random bits have no dictionary.
    """
    return hmac.digest(pepper, key.encode("utf-8", "surrogatepass"), "sha256")


def _base62(random_bytes: bytes, expected: int, length: int) -> str:
    """`random_bytes` as a number in base 62, its lowest `length` digits, padded with zeros."""
    if len(random_bytes) != expected:
        msg = f"{expected} random bytes are needed"
        raise ValueError(msg)
    number = int.from_bytes(random_bytes)
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(BASE62))
        digits.append(BASE62[digit])
    return "".join(reversed(digits))
