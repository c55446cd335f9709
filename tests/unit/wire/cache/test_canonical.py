from __future__ import annotations

import msgspec
import pytest

from app.wire.cache.canonical import canonical, read


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a": 1, "b": 2}', b'{"b":2,"a":1}'),
        (b'{"a": {"c": 1, "b": 2}}', b'{"a":{"b":2,"c":1}}'),
        (b"1", b"1.0"),
        (b"100", b"1e2"),
        (b"0", b"-0.0"),
        (b"0.5", b"5e-1"),
        ('"é"'.encode(), b'"\\u00e9"'),
        ('"👩"'.encode(), b'"\\ud83d\\udc69"'),
        (b'"a/b"', b'"a\\/b"'),
    ],
)
def test_spellings_of_a_value_have_one_form(one: bytes, other: bytes) -> None:
    """Order of members, space, numbers, escapes."""
    assert canonical(read(one)) == canonical(read(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"[1, 2]", b"[2, 1]"),
        (b'["a", "b"]', b'["a,b"]'),
        (b"1", b"true"),
        (b"0", b"null"),
        (b'"1"', b"1"),
        (b'{"a": null}', b"{}"),
        (b'"\xc3\xa9"', b'"e\\u0301"'),
        (b"9007199254740993", b"9007199254740992"),
        (b"0.1", b"0.10000000000000002"),
    ],
)
def test_other_values_have_another(one: bytes, other: bytes) -> None:
    """Order of arrays, types, code points, and every digit."""
    assert canonical(read(one)) != canonical(read(other))


def test_numbers_without_end_stay_short() -> None:
    """A double of 300 digits is not written out."""
    assert len(canonical(read(b"1e300"))) < 10


def test_what_is_no_json_is_refused() -> None:
    """As the reader of requests does."""
    with pytest.raises(msgspec.MsgspecError):
        read(b"{")
