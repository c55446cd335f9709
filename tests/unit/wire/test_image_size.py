"""Sizes from first bytes; what is not understood has none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.image_size import size_of, size_of_base64

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4) + (480).to_bytes(4)
GIF = b"GIF89a" + (320).to_bytes(2, "little") + (200).to_bytes(2, "little")
APP = b"\xff\xe0\x00\x10" + b"JFIF" + bytes(10)
FRAME = b"\xff\xc2\x00\x11\x08" + (768).to_bytes(2) + (1024).to_bytes(2)
JPEG = b"\xff\xd8" + APP + b"\xff\xc4\x00\x04\x00\x00" + FRAME


def webp(kind: bytes, rest: bytes) -> bytes:
    """A WebP file up to its size."""
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + (99).to_bytes(4, "little") + rest


LOSSY = webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + b"\x80\x42\xe0\x01")  # a scale in the top bits
LOSSLESS = webp(b"VP8L", b"\x2f" + (799 | 599 << 14).to_bytes(4, "little") + bytes(9))
EXTENDED = webp(b"VP8X", bytes(4) + (799).to_bytes(3, "little") + (599).to_bytes(3, "little"))


def url(data: bytes, kind: str = "png") -> str:
    """A data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG, (640, 480)),
        (GIF, (320, 200)),
        (JPEG, (1024, 768)),
        (b"\xff\xd8\xff\xff" + JPEG[2:], (1024, 768)),
        (LOSSY, (640, 480)),
        (LOSSLESS, (800, 600)),
        (EXTENDED, (800, 600)),
        (webp(b"ALPH", bytes(20)), (0, 0)),
        (JPEG[:10], (0, 0)),
        (PNG[:23], (0, 0)),
        (b"\xff\xd8" + b"\xff\xe0\x00\x02" * 500 + FRAME, (0, 0)),
        (b"RIFF0000WEBP", (0, 0)),
        (b"", (0, 0)),
    ],
)
def test_the_size_is_in_the_first_bytes(data: bytes, size: tuple[int, int]) -> None:
    """Of PNG, GIF, WebP and JPEG, thumbnails and tables before it notwithstanding."""
    assert size_of(url(data)) == size


@pytest.mark.parametrize("odd", ["https://x/y.png", "data:image/png;base64,%%%", "data:,", ""])
def test_other_urls_have_none(odd: str) -> None:
    """They are not fetched."""
    assert size_of(odd) == (0, 0)


def test_what_follows_the_first_bytes_does_not_matter() -> None:
    """Be it not even base64; an image may come without a URL."""
    head = base64.b64encode(PNG + bytes(48)).decode()
    assert size_of_base64(head + "%" * 999) == (640, 480)


@given(st.binary(max_size=64), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xe0", PNG[:8]]))
def test_no_bytes_are_too_odd(data: bytes, head: bytes) -> None:
    """Whatever they are, there is an answer."""
    width, height = size_of(url(head + data))
    assert width >= 0
    assert height >= 0
