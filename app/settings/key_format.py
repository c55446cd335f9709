"""The form of a tenant's key: `spg_<env>_<id>_<secret><checksum>`, 69 ASCII characters.

It stands here and not in the domain because seeds in the configuration are checked with it.
The checksum is the low 24 bits of the CRC32 of all before it, as six lower-case hex digits. It
finds typing errors and lets scanners tell a key from a lookalike; it proves nothing about who
made the key. Any change of one character is found, always: for this length no difference of one
byte leaves the low 24 bits as they were (a test tries all of them). Other damage that keeps
length and alphabet passes once in 2**24.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from zlib import crc32

BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH: Final = 10
SECRET_LENGTH: Final = 43
KEY_LENGTH: Final = len("spg_live_") + ID_LENGTH + len("_") + SECRET_LENGTH + 6

_KEY: Final = re.compile(
    rb"(spg_(live|test)_([0-9A-Za-z]{10})_([0-9A-Za-z]{43}))([0-9a-f]{6})",
)


class KeyParts(NamedTuple):
    """What a well-formed key says about itself; the secret is not among it."""

    environment: str
    id: str


def checksum(body: bytes) -> bytes:
    """Six hex digits: the low 24 bits of the CRC32 of `body`."""
    return b"%06x" % (crc32(body) & 0xFFFFFF)


def key_parts(text: str | bytes) -> KeyParts | None:
    """The parts of a well-formed key, or None; never raises, and its work is bounded."""
    match = _KEY.fullmatch(_ascii(text))
    if match is None or checksum(match[1]) != match[5]:
        return None
    return KeyParts(environment=match[2].decode(), id=match[3].decode())


def key_fault(text: str) -> str | None:
    """What is wrong with a key, in words that show nothing of it; None when it is well-formed."""
    match = _KEY.fullmatch(_ascii(text))
    if match is None:
        return "is not a key (spg_live_… or spg_test_…); `spillgate key new` makes one"
    if checksum(match[1]) != match[5]:
        return "is not a key: its checksum is wrong, so it was mistyped or cut"
    return None


def _ascii(text: str | bytes) -> bytes:
    """`text` as bytes, or nothing when it is not as long as a key or not ASCII."""
    if len(text) != KEY_LENGTH:
        return b""
    if isinstance(text, bytes):
        return text
    return text.encode() if text.isascii() else b""
