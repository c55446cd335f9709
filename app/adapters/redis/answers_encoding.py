"""An answer as it is kept in Redis: two byte strings that tell whether they are whole.

`meta` is a version, a checksum and a msgpack map: whose answer it is and everything but the body.
`body` is the answer, packed where that pays; the meta has its length and checksum. Whatever does
not fit together is Damaged, so that a wrong answer is never served for a readable one.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from app.domain.cache.entry import Entry, Question
from app.domain.cache.kept import KeptAnswer, prompt_beginning

_VERSION: Final = b"\x01"
_CHECKSUM_BYTES: Final = 8
_TAG_BYTES: Final = 16
#: From so many bytes on, packing halves what is kept; below it saves little.
PACKED_FROM_BYTES: Final = 4096
#: More takes milliseconds, which the event loop does not have.
BLOCKING_BYTES: Final = 128 * 1024


class Damaged(Exception):
    """What is kept is no answer, or another's."""


class Encoded(NamedTuple):
    """An answer's fields."""

    meta: bytes
    body: bytes

    @property
    def size(self) -> int:
        """Bytes of both."""
        return len(self.meta) + len(self.body)


class Meta(msgspec.Struct, frozen=True):
    """What is kept of an answer besides its body; the entry's own is empty here."""

    tenant: str  # as `tag_of` tells it
    entry: Entry
    beginning: str  # of the prompt
    length: int  # of the body, unpacked
    packed: bool
    checksum: bytes  # of the body as it is kept
    by_meaning: bool = False

    def listed(self, expires_at: float, size: int) -> KeptAnswer:
        """As those see it who look after the cache."""
        entry = self.entry
        return KeptAnswer(
            fingerprint=entry.question.fingerprint,
            request_id=entry.request_id,
            model=entry.model,
            operation=entry.operation,
            stored_at=entry.stored_at,
            expires_at=expires_at,
            size=size,
            by_meaning=self.by_meaning,
            prompt=self.beginning,
        )


_TO_BYTES: Final = msgspec.msgpack.Encoder()
_TO_META: Final = msgspec.msgpack.Decoder(Meta)


def tag_of(tenant: str) -> str:
    """A tenant as keys and the index know it: 32 hex digits. Raises ValueError for none."""
    if not tenant:
        msg = "tenant: is empty"
        raise ValueError(msg)
    name = tenant.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=_TAG_BYTES).hexdigest()


def encoded(tag: str, entry: Entry, *, by_meaning: bool) -> Encoded:
    """The fields of an answer; takes milliseconds from BLOCKING_BYTES on.

    Raises ValueError for text that is no Unicode.
    """
    body, packed = entry.body, False
    if len(body) >= PACKED_FROM_BYTES:
        smaller = zlib.compress(body, 1)
        if len(smaller) < len(body):
            body, packed = smaller, True
    question = entry.question
    if not by_meaning:
        question = Question(question.fingerprint, reason=question.reason)
    meta = Meta(
        tenant=tag,
        entry=replace(entry, question=question, body=b""),
        beginning=prompt_beginning(entry.question),
        length=len(entry.body),
        packed=packed,
        checksum=_checksum(body),
        by_meaning=by_meaning,
    )
    payload = _TO_BYTES.encode(meta)
    return Encoded(_VERSION + _checksum(payload) + payload, body)


def meta_of(tag: str, meta: bytes, fingerprint: str | None = None) -> Meta:
    """What is kept under that tenant's tag, and fingerprint (hex). Raises Damaged."""
    start = len(_VERSION) + _CHECKSUM_BYTES
    payload = meta[start:]
    if meta[:start] != _VERSION + _checksum(payload):
        raise Damaged
    try:
        found = _TO_META.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged from error
    is_other = fingerprint not in {None, found.entry.question.fingerprint.hex()}
    if found.tenant != tag or is_other:
        raise Damaged
    return found


def whole(meta: Meta, body: bytes) -> Entry:
    """The answer; takes milliseconds from BLOCKING_BYTES on. Raises Damaged."""
    if _checksum(body) != meta.checksum:
        raise Damaged
    if meta.packed:
        body = _unpacked(body, meta.length)
    if len(body) != meta.length:
        raise Damaged
    return replace(meta.entry, body=body)


def _unpacked(body: bytes, length: int) -> bytes:
    """No more than it should be, whatever it says of itself."""
    try:
        return zlib.decompressobj().decompress(body, length + 1)
    except zlib.error as error:
        raise Damaged from error


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM_BYTES).digest()
