from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.upstream.answer_parser import (
    MOST_HEAD_BYTES,
    MOST_NAMES,
    AnswerParser,
    FieldNames,
)
from app.errors import UpstreamProtocolError

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Read:
    """All that can be told of an answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    is_ended: bool
    is_broken: bool


def read(*pieces: bytes) -> Read:
    parser, is_broken = AnswerParser(FieldNames()), False
    for piece in pieces:
        try:
            parser.feed(memoryview(piece))
        except UpstreamProtocolError:
            is_broken = True
            break
        if parser.is_ended:  # what comes afterwards closes the connection
            break
    headers = tuple(sorted(parser.headers.items()))
    body = b"".join(parser.parts)
    return Read(parser.status, headers, body, parser.is_ended, is_broken)


@st.composite
def framed(draw: st.DrawFn) -> bytes:
    """An answer, some of them wrong somewhere."""
    names = st.sampled_from([b"x", b"X", b"retry-after", b"Set-Cookie"])
    values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
    fields = draw(st.lists(st.tuples(names, values), max_size=6))
    lines = b"".join(b"%b: %b\r\n" % (name, value.encode()) for name, value in fields)
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * draw(st.integers(0, 3))
    bodies = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
    status = draw(st.sampled_from([b"200 OK", b"204 No Content", b"429 Too Many Requests", b"503"]))
    head = b"%bHTTP/1.1 %b\r\n%b" % (hints, status, lines)
    kind = draw(st.sampled_from(["length", "chunked", "close", "wrong length", "wrong chunk"]))
    body = b"".join(bodies)
    chunks = b"".join(b"%x;e\r\n%b\r\n" % (len(each), each) for each in bodies)
    if kind in {"chunked", "wrong chunk"}:
        wrong = b"zz\r\n" if kind == "wrong chunk" else b""
        return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + wrong + b"0\r\na: b\r\n\r\n"
    if kind == "close":
        return head + b"\r\n" + body
    length = b"%d" % len(body) if kind == "length" else b"1x"
    return head + b"content-length: " + length + b"\r\n\r\n" + body


@given(answer=framed(), data=st.data())
def test_how_an_answer_is_cut_up_changes_nothing(answer: bytes, data: st.DataObject) -> None:
    """Whole, byte by byte or cut anywhere: the same answer, or the same part of a broken one."""
    whole = read(answer)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(answer)), max_size=12)))
    edges = [0, *cuts, len(answer)]
    pieces = [answer[begin:end] for begin, end in pairwise(edges)]
    assert read(*(piece for piece in pieces if piece)) == whole
    assert read(*(answer[at : at + 1] for at in range(len(answer)))) == whole


@given(st.binary(max_size=200))
def test_nonsense_is_refused_or_not_yet_an_answer(nonsense: bytes) -> None:
    """Whatever comes, nothing but our own error is raised, however it is cut."""
    whole = read(b"HTTP/1.1 " + nonsense)
    pieces = (b"HTTP/1.1 " + nonsense)[:5], (b"HTTP/1.1 " + nonsense)[5:]
    assert read(*pieces).status == whole.status


def test_repeated_headers_are_joined() -> None:
    """Under their name in lower case, in the order in which they came; white space is none."""
    got = read(b"HTTP/1.1 200 OK\r\nX:  a \t\r\nx: b\r\nY: \xe9\r\ncontent-length: 0\r\n\r\n")
    assert dict(got.headers) == {"x": "a, b", "y": "\xe9", "content-length": "0"}


def test_trailers_are_no_headers() -> None:
    """They come too late to be relied on."""
    got = read(CHUNKED + b"1\r\na\r\n0\r\nretry-after: 9\r\n\r\n")
    assert dict(got.headers) == {"transfer-encoding": "chunked"}


@pytest.mark.parametrize("first", [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na", CHUNKED])
def test_one_parser_reads_one_answer_after_the_other(first: bytes) -> None:
    """Nothing of an answer is left in the next one."""
    parser = AnswerParser(FieldNames())
    for status in (200, 404, 200):
        parser.start()
        answer = first.replace(b"200", b"%d" % status)
        parser.feed(memoryview(answer if first is not CHUNKED else answer + b"0\r\nx: y\r\n\r\n"))
        assert (parser.status, parser.is_ended, parser.is_spent) == (status, True, False)
        parser.parts.clear()


def test_bytes_after_an_answer_are_no_part_of_it() -> None:
    """They are seen in the same read, and end the connection's use."""
    parser = AnswerParser(FieldNames())
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    parser.feed(memoryview(answer + answer.replace(b"ok", b"no")))
    assert (parser.parts, parser.is_ended, parser.is_spent) == ([b"ok"], True, True)


def test_names_are_remembered_within_bounds() -> None:
    """An upstream that makes up names fills no memory."""
    names = FieldNames()
    for number in range(3 * MOST_NAMES):
        assert names[b"X-%d" % number] == f"x-{number}"
    assert len(names) == MOST_NAMES


@pytest.mark.parametrize("is_taken", [True, False])
def test_what_is_no_body_is_bounded(*, is_taken: bool) -> None:
    """Trailers without an end are refused, whether or not the body before them was taken."""
    parser = AnswerParser(FieldNames())
    parser.feed(memoryview(CHUNKED + b"2\r\nok\r\n0\r\nx: "))
    if is_taken:
        parser.parts.clear()
    with pytest.raises(UpstreamProtocolError):
        _feed_all(parser, [b"y" * 1000] * (2 * MOST_HEAD_BYTES // 1000))


def _feed_all(parser: AnswerParser, pieces: list[bytes]) -> None:
    for piece in pieces:
        parser.feed(memoryview(piece))
