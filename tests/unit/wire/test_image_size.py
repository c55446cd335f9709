"""Sizes from first bytes; what is not understood has none."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.image_size import size_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (640).to_bytes(4) + (480).to_bytes(4)
GIF = b"GIF89a" + (320).to_bytes(2, "little") + (200).to_bytes(2, "little")
APP = b"\xff\xe0\x00\x10" + b"JFIF" + bytes(10)
FRAME = b"\xff\xc2\x00\x11\x08" + (768).to_bytes(2) + (1024).to_bytes(2)
JPEG = b"\xff\xd8" + APP + b"\xff\xc4\x00\x04\x00\x00" + FRAME


def url(data: bytes, kind: str = "png") -> str:
    """A data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG, (640, 480)),
        (GIF, (320, 200)),
        (JPEG, (1024, 768)),
        (JPEG[:10], (0, 0)),
        (b"RIFF0000WEBP", (0, 0)),
        (b"", (0, 0)),
    ],
)
def test_the_size_is_in_the_first_bytes(data: bytes, size: tuple[int, int]) -> None:
    """Of PNG, GIF and JPEG, thumbnails and tables before it notwithstanding."""
    assert size_of(url(data)) == size


@pytest.mark.parametrize("odd", ["https://x/y.png", "data:image/png;base64,%%%", "data:,", ""])
def test_other_urls_have_none(odd: str) -> None:
    """They are not fetched."""
    assert size_of(odd) == (0, 0)


@given(st.binary(max_size=64), st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff\xe0", PNG[:8]]))
def test_no_bytes_are_too_odd(data: bytes, head: bytes) -> None:
    """Whatever they are, there is an answer."""
    width, height = size_of(url(head + data))
    assert width >= 0
    assert height >= 0
