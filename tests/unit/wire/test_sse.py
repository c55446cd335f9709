"""Frames: cut where events end, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.errors import UpstreamProtocolError
from app.wire.sse import HEARTBEAT, FrameBuffer, data_of, frames_of
from tests.streams.recordings import RECORDINGS, Recording, pieces

cuts = st.lists(st.integers(0, 1 << 16), max_size=40)
#: Everything that decides where a frame ends, and a little that does not.
line_ends = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\xe2\x80\xa8"]), max_size=30)


def framed(parts: list[bytes]) -> tuple[list[bytes], bytes]:
    """All frames of a stream that came in these parts, and its unfinished tail."""
    buffer = FrameBuffer()
    frames = [frame for part in parts for frame in buffer.feed(part)]
    return frames, buffer.rest()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_an_event_ends_at_a_blank_line(end: bytes) -> None:
    """All three line ends of the standard end lines here."""
    first, second = b"event: x" + end + b"data: 1" + end + end, b"data: 2" + end + end
    frames, rest = framed([first + second + b"data: 3"])
    assert frames == [first, second]
    assert rest == b"data: 3"


def test_a_frame_comes_with_its_last_byte() -> None:
    """Nothing waits for the next event, so that a client sees each token when it is made."""
    buffer = FrameBuffer()
    assert buffer.feed(b"data: 1\n") == []
    assert buffer.feed(b"\n") == [b"data: 1\n\n"]
    assert buffer.feed(b"data: 2\r\n\r") == []
    assert buffer.feed(b"\n") == [b"data: 2\r\n\r\n"]


def test_a_carriage_return_waits_for_its_line_feed() -> None:
    """A frame must not end between the two bytes of one line end."""
    buffer = FrameBuffer()
    assert buffer.feed(b"data: 1\r\r") == []
    assert buffer.feed(b"d") == [b"data: 1\r\r"]
    assert buffer.rest() == b"d"


@pytest.mark.parametrize("text", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c"])
def test_other_separators_end_no_line(text: str) -> None:
    """What Python's splitlines would split is text to the standard."""
    data = f"data: a{text}{text}b\n\n".encode()
    assert framed([data]) == ([data], b"")
    assert data_of(data) == f"a{text}{text}b".encode()


@pytest.mark.parametrize("one", RECORDINGS, ids=lambda one: one.name)
@given(cuts)
def test_frames_do_not_depend_on_how_the_bytes_came(one: Recording, at: list[int]) -> None:
    """However a recorded stream is cut on its way, its frames are the same."""
    assert framed(pieces(one.data, at)) == framed([one.data])


@given(line_ends, cuts)
@example([b"a", b"\r", b"\r", b"\n"], [2])
@example([b"a", b"\r\n", b"\r", b"\r\n"], [1, 2, 3, 4])
def test_any_mixture_of_line_ends_is_cut_alike(parts: list[bytes], at: list[int]) -> None:
    """The same holds for line ends that nobody should send."""
    data = b"".join(parts) or b"a"
    whole, rest = framed([data])
    assert framed(pieces(data, at)) == (whole, rest)
    assert b"".join(whole) + rest == data


@given(line_ends, cuts)
@example([b"a", b"\n", b"\n", b"\n", b"\n", b"a", b"\n", b"\n"], [3])
@example([b"a", b"\n", b"\n", b"\n", b"\n", b"a", b"\n", b"\n"], [4])
def test_frames_in_one_piece_are_the_same(parts: list[bytes], at: list[int]) -> None:
    """After every read: as many frames, the same bytes, and what waits for more is the same."""
    cut, joining = FrameBuffer(), FrameBuffer()
    for part in pieces(b"".join(parts) or b"a", at):
        frames = cut.feed(part)
        assert joining.joined(part) == (b"".join(frames), len(frames))
        assert frames_of(b"".join(frames)) == frames
    assert joining.rest() == cut.rest()


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_every_byte_comes_out_again(parts: list[bytes]) -> None:
    """Frames and tail together are what was fed, whatever it was."""
    frames, rest = framed(parts)
    assert b"".join(frames) + rest == b"".join(parts)


def test_the_tail_is_given_out_once() -> None:
    """A relay that asks twice sends nothing twice."""
    buffer = FrameBuffer()
    buffer.feed(b"data: 1\n\ndata: 2")
    assert (buffer.rest(), buffer.rest()) == (b"data: 2", b"")


def test_the_connections_end_completes_a_frame() -> None:
    """What came after the last blank line is one frame more; nothing is none."""
    buffer = FrameBuffer()
    buffer.feed(b"data: 1\n\ndata: 2\r\r")
    assert buffer.last() == [b"data: 2\r\r"]
    assert buffer.last() == []


def test_an_endless_line_is_an_error_at_the_limit() -> None:
    """One byte more than allowed without an end, and memory is not given to it any longer."""
    buffer = FrameBuffer(limit=64)
    buffer.feed(b"x" * 64)
    with pytest.raises(UpstreamProtocolError, match="more than 64 bytes"):
        buffer.feed(b"x")


def test_the_limit_is_for_one_event() -> None:
    """A long stream of short events is no endless line."""
    buffer = FrameBuffer(limit=64)
    assert len(buffer.feed(b"data: 1\n\n" * 1000)) == 1000


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"data: 1\n\n", b"1"),
        (b"data:1\n\n", b"1"),
        (b"data:  1\n\n", b" 1"),
        (b"data: 1\r\n\r\n", b"1"),
        (b"data: 1\r\r", b"1"),
        (b"event: x\r\ndata: a\r\nid: 3\r\ndata: b\r\n\r\n", b"a\nb"),
        (b"\xef\xbb\xbfdata: 1\n\n", b"1"),
        (b": data: 1\n\n", b""),
        (b"metadata: 1\n\n", b""),
        (HEARTBEAT, b""),
    ],
)
def test_data_is_what_the_data_lines_say(frame: bytes, data: bytes) -> None:
    """One blank after the colon is not data; several lines are one text; comments are none."""
    assert data_of(frame) == data
