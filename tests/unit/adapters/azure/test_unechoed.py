"""What an upstream repeats of its credential goes no further, but in the body of an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.azure.unechoed import unechoed
from app.adapters.upstream.read_by_read import ReadByRead

SECRET = "abcabcabd-secret-of-ours"  # begins with what it begins with again


@dataclass
class Pieces(ReadByRead):
    """A response that comes in these."""

    pieces: list[bytes]
    status: int = 401
    headers: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False

    async def read(self, patience_s: float) -> bytes:
        assert patience_s == 7.0
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.closed = True


async def whole(response: Pieces, credential: str = f"Bearer {SECRET}") -> bytes:
    read, found = unechoed(response, credential), b""
    while data := await read.read(7.0):
        found += data
    return found


@given(
    st.lists(st.sampled_from([SECRET, "abc", "abcabc", "x", SECRET[:-1], SECRET[1:]]), max_size=8),
    st.lists(st.integers(1, 40), max_size=12),
)
async def test_a_refusal_is_as_it_was_but_for_the_credential(
    words: list[str], cuts: list[int]
) -> None:
    """However its bytes are cut, and as long as it says that it is."""
    body = "".join(words).encode()
    pieces, left = list[bytes](), body
    for cut in cuts:
        pieces, left = [*pieces, left[:cut]], left[cut:]
    found = await whole(Pieces([each for each in (*pieces, left) if each]))
    assert found == body.replace(SECRET.encode(), b"*" * len(SECRET))


async def test_headers_do_not_hold_it_either() -> None:
    """A header may be passed on, or logged."""
    response = Pieces([], headers={"x-echo": f"key {SECRET}!", "retry-after": "1"})
    found = unechoed(response, SECRET)
    assert found.headers == {"x-echo": f"key {'*' * len(SECRET)}!", "retry-after": "1"}
    assert found.status == 401
    found.close()
    assert response.closed


async def test_an_answers_headers_do_not_hold_it_and_its_body_is_as_it_came() -> None:
    """A request's id is recorded wherever there is a word of the request."""
    response = Pieces([SECRET.encode()], 200, {"x-request-id": SECRET, "content-type": "a/b"})
    found = unechoed(response, f"Bearer {SECRET}")
    assert found.headers == {"x-request-id": "*" * len(SECRET), "content-type": "a/b"}
    assert (found.status, await found.read(7.0)) == (200, SECRET.encode())
    found.close()
    assert response.closed


@pytest.mark.parametrize(("status", "credential"), [(200, SECRET), (401, "k"), (200, "k")])
async def test_an_answer_is_as_it_came(status: int, credential: str) -> None:
    """No byte of it is looked at; and what is no secret is in many words."""
    response = Pieces([SECRET.encode()], status=status, headers={"x-request-id": "k-1"})
    assert unechoed(response, credential) is response
