"""The size of an image that a request carries, from the first bytes of its file.

Formats that the vision APIs accept: PNG (RFC 2083), GIF89a, WebP (RFC 9649), JPEG (ITU-T T.81).
"""

from __future__ import annotations

import binascii
from typing import Final

Size = tuple[int, int]

UNKNOWN: Final = (0, 0)

#: Base64 characters decoded: PNG, GIF and WebP tell their size at once.
_FIRST: Final = 64
#: A JPEG tells it after its metadata, of which cameras write one or two segments of 64 KB.
_JPEG_FIRST: Final = 256 * 1024
_JPEG_SEGMENTS: Final = 128
#: Start-of-frame markers; C4, C8 and CC among them mean something else.
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_LONGEST_MEDIA_TYPE: Final = 256
#: Bytes of the headers up to and with the size.
_PNG_HEADER, _GIF_HEADER, _WEBP_HEADER, _JPEG_HEADER = 24, 10, 30, 9


def size_of(url: str) -> Size:
    """Width and height of the image in a data URL, in pixels; zeros where that cannot be told."""
    if url[:5].lower() != "data:":
        return UNKNOWN
    comma = url.find(",", 0, _LONGEST_MEDIA_TYPE)
    return size_of_base64(url, comma + 1) if comma > 0 else UNKNOWN


def size_of_base64(text: str, start: int = 0) -> Size:
    """The same of an image file as base64, which begins at `start`."""
    head = _decoded(text[start : start + _FIRST])
    if head.startswith(b"\xff\xd8"):
        return _jpeg(_decoded(text[start : start + _JPEG_FIRST]))
    return _size(head)


def _size(head: bytes) -> Size:
    """Of a PNG, GIF or WebP file from its first 30 bytes."""
    if head.startswith(b"\x89PNG\r\n\x1a\n") and len(head) >= _PNG_HEADER:
        return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])
    if head.startswith((b"GIF87a", b"GIF89a")) and len(head) >= _GIF_HEADER:
        return _little(head[6:8]), _little(head[8:10])
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP" and len(head) >= _WEBP_HEADER:
        return _webp(head)
    return UNKNOWN


def _webp(head: bytes) -> Size:
    match head[12:16]:
        case b"VP8 ":
            return _little(head[26:28]) & 0x3FFF, _little(head[28:30]) & 0x3FFF
        case b"VP8L":
            bits = _little(head[21:25])
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8X":
            return 1 + _little(head[24:27]), 1 + _little(head[27:30])
        case _:
            return UNKNOWN


def _jpeg(data: bytes) -> Size:
    """Walk the segments to the start of the frame."""
    at = 2
    for _ in range(_JPEG_SEGMENTS):
        segment = data[at : at + _JPEG_HEADER]
        if len(segment) < _JPEG_HEADER or segment[0] != 0xFF:  # noqa: PLR2004  # a marker's byte
            return UNKNOWN
        if segment[1] in _JPEG_FRAMES:
            return int.from_bytes(segment[7:9]), int.from_bytes(segment[5:7])
        # A second FF fills up; the marker follows it.
        at += 1 if segment[1] == 0xFF else 2 + int.from_bytes(segment[2:4])  # noqa: PLR2004  # FF
    return UNKNOWN


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _decoded(text: str) -> bytes:
    """The bytes, whole groups of four characters only; empty where it is not base64."""
    try:
        return binascii.a2b_base64(text[: len(text) // 4 * 4])
    except ValueError:
        return b""
