"""Secrets as they may stand in a file: sealed for one place, opened by a master key alone.

`sealed:v1:KEYID:PAYLOAD`. A data key of its own encrypts each secret, and a master key the data
key, both with AES-256-GCM (NIST SP 800-38D) under fresh 96-bit nonces. What is authenticated with
both is the secret's record, its path in the configuration: a sealed value that was moved elsewhere
does not open. A change of master keys wraps the data key anew and leaves the rest as it is.
"""

from __future__ import annotations

import binascii
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:  # 40 ms of import, for those who have something sealed
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX: Final = "sealed:"
#: What a sealed value looks like within a file.
SEALED: Final = re.compile(r"sealed:v1:([0-9a-f]{8}):([A-Za-z0-9_-]{80,})")

_MASTER: Final = re.compile(r"spgm_([A-Za-z0-9_-]{43})")
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_BYTES: Final = _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES

#: So many bytes from the system's randomness.
Random = Callable[[int], bytes]


class SealError(ValueError):
    """It does not open, or cannot be sealed; the message holds nothing of key or content."""


class _Parts(NamedTuple):
    key_id: str
    wrapped: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 bytes that open what was sealed with them; `id` is public, and made of them."""

    id: str
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> MasterKey:
        """Of `spgm_` and 43 letters. Raises SealError."""
        found = _MASTER.fullmatch(text)
        if found is None:
            raise SealError(_NO_MASTER)
        return cls.of(urlsafe_b64decode(f"{found[1]}="))

    @classmethod
    def of(cls, key: bytes) -> MasterKey:
        """Of its bytes."""
        return cls(sha256(b"spillgate master key\0" + key).hexdigest()[:8], key)

    @property
    def text(self) -> str:
        """As it is kept, which is a secret."""
        return f"spgm_{_base64(self.key)}"


_NO_MASTER: Final = "is no master key; `spillgate secret new-key` makes one"


def new_master_key(random: Random) -> MasterKey:
    """One that nobody has."""
    return MasterKey.of(random(_KEY_BYTES))


class MasterKeys:
    """The newest first; older ones only open."""

    def __init__(self, keys: Iterable[MasterKey] = ()) -> None:
        """None at all opens nothing."""
        self._keys = tuple(keys)
        self._by_id = {key.id: key for key in self._keys}

    def seal(self, secret: str, record: str, random: Random) -> str:
        """The secret, sealed for its record with the newest key. Raises SealError."""
        newest = self._newest()
        data_key, nonce = random(_KEY_BYTES), random(_NONCE_BYTES)
        content = nonce + _gcm(data_key).encrypt(nonce, secret.encode(), _content_of(record))
        return _text(_Parts(newest.id, _wrapped(newest, data_key, record, random), content))

    def open(self, sealed: str, record: str) -> str:
        """The secret. Raises SealError."""
        parts = _parts(sealed)
        nonce, content = parts.content[:_NONCE_BYTES], parts.content[_NONCE_BYTES:]
        data_key = self._data_key(parts, record)
        return _decrypted(data_key, nonce, content, _content_of(record)).decode()

    def rewrap(self, sealed: str, record: str, random: Random) -> str:
        """The same secret under the newest key, opened nowhere; as it is where it is already.

        Raises SealError, also where it would not open.
        """
        parts, newest = _parts(sealed), self._newest()
        self.open(sealed, record)
        if parts.key_id == newest.id:
            return sealed
        data_key = self._data_key(parts, record)
        wrapped = _wrapped(newest, data_key, record, random)
        return _text(parts._replace(key_id=newest.id, wrapped=wrapped))

    def _newest(self) -> MasterKey:
        if not self._keys:
            raise SealError("there is no master key: secrets.master_keys names none")
        return self._keys[0]

    def _data_key(self, parts: _Parts, record: str) -> bytes:
        key = self._by_id.get(parts.key_id)
        if key is None:
            raise SealError(f"is sealed with the master key {parts.key_id}, which is not there")
        nonce, wrapped = parts.wrapped[:_NONCE_BYTES], parts.wrapped[_NONCE_BYTES:]
        return _decrypted(key.key, nonce, wrapped, _wrapping_of(key.id, record))


def key_id_of(sealed: str) -> str:
    """The id of the master key that it was sealed with. Raises SealError."""
    return _parts(sealed).key_id


def _wrapped(master: MasterKey, data_key: bytes, record: str, random: Random) -> bytes:
    nonce = random(_NONCE_BYTES)
    return nonce + _gcm(master.key).encrypt(nonce, data_key, _wrapping_of(master.id, record))


def _wrapping_of(key_id: str, record: str) -> bytes:
    return f"spillgate sealed v1 key\0{key_id}\0{record}".encode()


def _content_of(record: str) -> bytes:
    return f"spillgate sealed v1 content\0{record}".encode()


def _decrypted(key: bytes, nonce: bytes, content: bytes, bound_to: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # as above

    try:
        return _gcm(key).decrypt(nonce, content, bound_to)
    except InvalidTag:
        raise SealError("does not open: it was sealed for another place, or changed") from None


def _gcm(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  # as above

    return AESGCM(key)


def _text(parts: _Parts) -> str:
    return f"sealed:v1:{parts.key_id}:{_base64(parts.wrapped + parts.content)}"


def _parts(sealed: str) -> _Parts:
    found = SEALED.fullmatch(sealed)
    if found is None:
        raise SealError("is no sealed value of version 1; `spillgate secret seal` makes one")
    padded = found[2] + "=" * (-len(found[2]) % 4)
    try:
        payload = urlsafe_b64decode(padded)
    except binascii.Error:
        raise SealError("is cut, or no sealed value at all") from None
    if len(payload) < _WRAPPED_BYTES + _NONCE_BYTES + _TAG_BYTES:
        raise SealError("is cut")
    return _Parts(found[1], payload[:_WRAPPED_BYTES], payload[_WRAPPED_BYTES:])


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
