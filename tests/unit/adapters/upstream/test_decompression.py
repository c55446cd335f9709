from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.upstream.decompression import STEP_BYTES, Inflater
from app.errors import UpstreamDisconnected, UpstreamProtocolError


def unpacked(inflater: Inflater, parts: list[bytes]) -> bytes:
    out = b""
    for part in parts:
        inflater.feed(part)
        while data := inflater.take():
            assert len(data) <= STEP_BYTES
            out += data
    inflater.end()
    return out


@given(body=st.binary(max_size=5000), cuts=st.lists(st.integers(0, 5200), max_size=8))
def test_any_cut_gives_the_same_body(body: bytes, cuts: list[int]) -> None:
    """How the network cuts a packed body does not matter."""
    packed = gzip.compress(body)
    places = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    parts = [packed[start:end] for start, end in pairwise(places)]

    assert unpacked(Inflater("gzip"), parts) == body


def test_a_bomb_comes_in_steps() -> None:
    """A thousandfold growth is given out piece by piece."""
    body = bytes(50 * STEP_BYTES)
    assert unpacked(Inflater("gzip"), [gzip.compress(body)]) == body


def test_members_in_a_row_are_one_body() -> None:
    """Gzip allows it, and some servers flush that way."""
    packed = gzip.compress(b"one") + gzip.compress(b"two")
    assert unpacked(Inflater("gzip"), [packed]) == b"onetwo"
    assert unpacked(Inflater("gzip"), [packed[:24], packed[24:]]) == b"onetwo"


def test_deflate_is_zlib() -> None:
    """As HTTP defines it."""
    assert unpacked(Inflater("deflate"), [zlib.compress(b"x")]) == b"x"


def test_the_end_must_have_come() -> None:
    """A packed body without its end is not whole, and says so."""
    inflater = Inflater("gzip")
    inflater.feed(gzip.compress(b"hello")[:-1])
    assert inflater.take() == b"hello"
    with pytest.raises(UpstreamDisconnected):
        inflater.end()


def test_what_is_not_packed_is_refused() -> None:
    """Neither other encodings nor garbage pass."""
    with pytest.raises(UpstreamProtocolError):
        Inflater("br")
    inflater = Inflater("gzip")
    inflater.feed(b"not gzip")
    with pytest.raises(UpstreamProtocolError):
        inflater.take()
