"""The size of an image from its first bytes: PNG, GIF, JPEG. Others are not understood."""

from __future__ import annotations

import binascii
import re
from typing import Final

#: A JPEG may carry a thumbnail and a colour profile before its size.
_LOOKED_AT: Final = 256 * 1024
_DATA_URL: Final = re.compile(r"data:image/[a-z0-9.+-]+;base64,", re.IGNORECASE)
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_GIF: Final = (b"GIF87a", b"GIF89a")
_JPEG: Final = b"\xff\xd8"
_SEGMENT: Final = re.compile(rb"\xff+([\x01-\xfe])", re.DOTALL)
#: Frame headers; C4, C8 and CC are something else.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def size_of(url: str) -> tuple[int, int]:
    """Width and height of the image in a data URL, in pixels; zeros where that cannot be told."""
    begun = _DATA_URL.match(url)
    if begun is None:
        return 0, 0
    encoded = url[begun.end() : begun.end() + _LOOKED_AT]
    try:
        data = binascii.a2b_base64(encoded[: len(encoded) // 4 * 4])
    except (binascii.Error, ValueError):
        return 0, 0
    return _size(data)


def _size(data: bytes) -> tuple[int, int]:
    if data.startswith(_PNG):
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if data.startswith(_GIF):
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if data.startswith(_JPEG):
        return _jpeg(data)
    return 0, 0


def _jpeg(data: bytes) -> tuple[int, int]:
    """Walk the segments up to the frame header (ITU-T T.81, B.2.2)."""
    at = len(_JPEG)
    while found := _SEGMENT.match(data, at):
        body = found.end()
        if found[1][0] in _FRAMES:
            return int.from_bytes(data[body + 5 : body + 7]), int.from_bytes(
                data[body + 3 : body + 5]
            )
        at = body + max(2, int.from_bytes(data[body : body + 2]))
    return 0, 0
