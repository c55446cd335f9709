from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.upstream.request_head import MOST_NAMES, RequestHeads
from app.adapters.upstream.target import Targets
from app.errors import UpstreamMisconfigured

TARGET = Targets().of("https://a.example/x")


def test_a_head() -> None:
    """Line by line."""
    head = RequestHeads().head("POST", TARGET, {"api-key": "k", "accept": "*/*"}, 7)
    assert head == (
        b"POST /x HTTP/1.1\r\nhost: a.example\r\naccept-encoding: identity\r\n"
        b"user-agent: spillgate\r\napi-key: k\r\naccept: */*\r\ncontent-length: 7\r\n\r\n"
    )


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=3))
def test_a_header_is_one_line_or_refused(headers: dict[str, str]) -> None:
    """Whatever names and values are: as many lines as headers, and one end."""
    heads = RequestHeads()
    for _ in range(2):  # a name that was refused is refused again
        try:
            head = heads.head("GET", TARGET, headers, 0)
        except UpstreamMisconfigured:
            continue
        lines = head.split(b"\r\n")
        assert lines[-2:] == [b"", b""]
        assert len(lines) == 4 + len(headers) + 2
        assert head.count(b"\r") == head.count(b"\n") == len(lines) - 1


def test_names_are_remembered_within_bounds() -> None:
    """Those beyond are checked each time."""
    heads = RequestHeads()
    for number in range(MOST_NAMES + 5):
        heads.head("GET", TARGET, {f"x-{number}": "y"}, 0)
    with pytest.raises(UpstreamMisconfigured):
        heads.head("GET", TARGET, {"x y": "z"}, 0)
