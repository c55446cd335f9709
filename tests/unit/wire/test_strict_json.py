"""JSON that no two readers understand differently."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest
from app.wire.strict_json import MAX_DEPTH, members_of, parse_object, replace_members

#: Text with every character that could confuse a scan for structure.
texts = st.text(st.one_of(st.sampled_from('"\\:,[]{}/u0a'), st.characters(codec="utf-8")))
numbers = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
objects = st.dictionaries(texts, values, max_size=5)
spacings = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n ")])


def refused(body: bytes, **limits: int) -> MalformedRequest:
    with pytest.raises(MalformedRequest) as caught:
        parse_object(body, **limits)
    return caught.value


def nested(depth: int, *, opening: str = '{"a":', closing: str = "}") -> bytes:
    return (opening * depth + "1" + closing * depth).encode()


def written(value: Any, spacing: tuple[str, str], *, ascii_only: bool) -> str:
    return json.dumps(value, separators=spacing, ensure_ascii=ascii_only)


@given(value=objects, spacing=spacings, ascii_only=st.booleans())
def test_an_object_without_duplicates_is_what_json_says(
    *, value: dict[str, Any], spacing: tuple[str, str], ascii_only: bool
) -> None:
    """Any object reads as the standard library reads it, however it is written."""
    body = written(value, spacing, ascii_only=ascii_only).encode()
    assert parse_object(body) == json.loads(body) == value


@given(objects, texts, values, values, st.lists(st.sampled_from("od"), max_size=6), spacings)
def test_a_name_twice_is_refused_at_every_level(
    others: dict[str, Any],
    name: str,
    first: Any,
    second: Any,
    path: list[str],
    spacing: tuple[str, str],
) -> None:
    """Wherever an object is and whatever its values are, no name may be in it twice."""
    comma, colon = spacing
    key = json.dumps(name)
    escaped = '"' + "".join(f"\\u{unit:04x}" for unit in _units(name)) + '"'
    rest = written({k: v for k, v in others.items() if k != name}, spacing, ascii_only=True)[1:-1]
    members = [f"{key}{colon}{json.dumps(first)}", f"{escaped}{colon}{json.dumps(second)}"]
    body = "{" + comma.join([*members, rest] if rest else members) + "}"
    for step in path:
        body = f'{{"in"{colon}{body}}}' if step == "o" else f"[{body}]"
    fault = refused((body if body.startswith("{") else f'{{"in"{colon}{body}}}').encode())
    assert (fault.code, fault.param) == ("duplicate_key", name[:64])


def _units(text: str) -> list[int]:
    """UTF-16 code units, which is what JSON escapes are made of."""
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2)]


def test_the_same_name_in_different_objects_is_fine() -> None:
    """Only one object's own members are compared."""
    assert parse_object(b'{"a":{"a":[{"a":1},{"a":2}]}}') == {"a": {"a": [{"a": 1}, {"a": 2}]}}


def test_a_duplicate_is_named() -> None:
    """The message says which name it was."""
    assert "'model'" in refused(b'{"model":"ok","x":[1],"model":"secret"}').message


def test_a_duplicate_in_a_large_body_is_refused_unnamed() -> None:
    """To name it takes a reader too slow for that."""
    fault = refused(b'{"a":1,"a":2,"b":"' + b"x" * 200_000 + b'"}')
    assert (fault.code, fault.param) == ("duplicate_key", None)


@pytest.mark.parametrize(
    "text", ["\\u003a", "\\u003A:", "\\\\u003a", "\\\\\\u003a", "\\u003a\\u003a"]
)
def test_a_colon_in_text_is_text_however_it_is_written(text: str) -> None:
    """Neither taken for a member nor making up for one that was lost."""
    body = f'{{"{text}":["{text}"]}}'.encode()
    assert parse_object(body) == json.loads(body)
    assert refused(f'{{"a":1,"a":"{text}"}}'.encode()).code == "duplicate_key"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}{}",
        b"{} x",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a" 1}',
        b'{"a":01}',
        b'{"a":+1}',
        b'{"a":1.}',
        b'{"a":.5}',
        b'{"a":0x10}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e400}',
        b'{"a":-1e400}',
        b'{"a":' + b"1" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":"\\ude00"}',
        b'{"a":"\\ud83dx"}',
        b'{"\\ud800":1}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xff"}',
        b'{"\xff":1}',
        b'{"a":"\x00"}',
        b'{"a":"\n"}',
        b'{"a":"\\x41"}',
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b"// a comment\n{}",
        b'{"a":tru}',
        b'{"a":"open}',
        b"\x00",
    ],
)
def test_what_is_no_strict_json_is_refused(body: bytes) -> None:
    """Readers disagree on every one of these, so none of them is read."""
    assert refused(body).code == "invalid_json"


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_a_body_must_be_an_object(body: bytes) -> None:
    """Valid JSON of another kind is no request."""
    assert refused(body).message == "The request body must be a JSON object."


@pytest.mark.parametrize(
    ("opening", "closing"), [('{"a":', "}"), ("[", "]"), ('[{"a":', "}]"), ('{"a":[1,[],', "]}")]
)
def test_depth_is_limited(opening: str, closing: str) -> None:
    """The limit itself is allowed, one more is not, whatever the levels are made of."""
    levels = sum(map(opening.count, "[{")) - opening.count("[]")
    inside = (MAX_DEPTH - 1) // levels
    assert parse_object(b'{"x":' + nested(inside, opening=opening, closing=closing) + b"}")
    too_deep = b'{"x":' + nested(inside + 1, opening=opening, closing=closing) + b"}"
    assert refused(too_deep).code == "json_too_deep"


@pytest.mark.parametrize(("depth", "is_read"), [(1, True), (3, True), (4, False)])
def test_the_depth_limit_is_a_setting(*, depth: int, is_read: bool) -> None:
    """It is counted in levels, the body itself being the first."""
    if is_read:
        assert parse_object(nested(depth), max_depth=3)
    else:
        assert "deeper than 3 levels" in refused(nested(depth), max_depth=3).message


@pytest.mark.parametrize("depth", [100, 10_000, 1_000_000])
def test_bottomless_bodies_are_refused_quickly(depth: int) -> None:
    """Neither the stack nor the clock gives in, closed or not."""
    started = time.process_time()
    assert refused(nested(depth)).code == "json_too_deep"
    assert refused(b'{"a":' * depth).code == "invalid_json"
    assert refused(b"[" * depth).code == "invalid_json"
    assert refused(b'{"a":' + b"[" * depth + b"]" * depth + b"}").code == "json_too_deep"
    assert time.process_time() - started < 5


def verdict_by_brackets(body: bytes, limit: int) -> str | None:
    """The code of a refusal as it was first found: brackets outside of strings, then decoding."""
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside = b"".join(unescaped.split(b'"')[::2])
    depth = deepest = 0
    for byte in outside:
        depth += (byte in b"[{") - (byte in b"]}")
        deepest = max(deepest, depth)
    if deepest > limit and depth == 0:
        return "json_too_deep"
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "invalid_json"
    return None if isinstance(value, dict) else "invalid_json"


deep = st.recursive(
    st.sampled_from([1, "[{", ']}\\"', None]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("a"), inner, max_size=1),
    max_leaves=6,
)


@given(
    deep,
    st.integers(1, 6),
    st.lists(st.tuples(st.integers(0, 99), st.sampled_from('[]{}",:1\\ ')), max_size=2),
    st.booleans(),
)
def test_depth_is_refused_as_by_counting_brackets(
    value: Any,
    limit: int,
    changes: list[tuple[int, str]],
    large: bool,  # noqa: FBT001  # hypothesis gives them in their order
) -> None:
    """Of bodies that are JSON and of spoiled ones, small or large: the same verdict."""
    text = json.dumps({"a": value, **({"long": "x" * 4096} if large else {})})
    for at, char in changes:
        text = text[: at % len(text)] + char + text[at % len(text) + 1 :]
    body = text.encode()
    code: str | None = None
    try:
        parse_object(body, max_depth=limit)
    except MalformedRequest as refusal:
        code = refusal.code
    if code != "duplicate_key":
        assert code == verdict_by_brackets(body, limit)


def test_width_is_not_depth() -> None:
    """Many shallow objects are no deep one, and brackets in text are text."""
    body = b'{"a":[' + b",".join([b'{"b":[]}'] * 5000) + b"]}"
    assert len(parse_object(body)["a"]) == 5000
    assert parse_object(b'{"a":"' + b"[{" * 500 + b'\\""}')


@given(objects, spacings)
def test_members_keep_their_bytes(value: dict[str, Any], spacing: tuple[str, str]) -> None:
    """A value that is only forwarded is forwarded as it was written."""
    body = written(value, spacing, ascii_only=True).encode()
    expected = {
        name: written(member, spacing, ascii_only=True).encode() for name, member in value.items()
    }
    assert members_of(body) == expected
    assert members_of(replace_members(body, {})) == expected


@given(objects, texts, values)
def test_replacing_a_member_changes_no_other(value: dict[str, Any], name: str, new: Any) -> None:
    """One member is set, where it was or at the end; order and all other bytes stay."""
    body = written(value, (" ,", " : "), ascii_only=True).encode()
    replaced = replace_members(body, {name: json.dumps(new).encode()})
    before, after = members_of(body), members_of(replaced)
    assert json.loads(replaced) == {**value, name: new}
    assert list(after) == list({**before, name: b""})
    assert {n: v for n, v in after.items() if n != name} == {
        n: v for n, v in before.items() if n != name
    }


def test_numbers_and_escapes_survive_a_replacement() -> None:
    """No reader of ours rounds a number or rewrites an escape on its way."""
    body = b'{"a": 1.0e+2, "b" :"\\u00e9\\/", "n": 12345678901234567890.10, "model": "x"}'
    assert replace_members(body, {"model": b'"y"'}) == (
        b'{"a":1.0e+2,"b":"\\u00e9\\/","n":12345678901234567890.10,"model":"y"}'
    )


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (rb'{"a":"\ud800"}', "half of a utf-16 surrogate pair (byte 6)"),
        (rb'{"a":"\\\uDBFF"}', "half of a utf-16 surrogate pair (byte 8)"),
        (rb'{"\ud800":1}', "half of a utf-16 surrogate pair (byte 2)"),
        (rb'{"a":"\ud800 and more"}', "surrogate pair (byte 12)"),
        (rb'{"a":"\udc00"}', "surrogate pair (byte 12)"),
        (rb'{"a":"\\ud800"', "truncated"),
        (rb'{"a":"\ud83d\ude00"', "truncated"),
        (rb'{"a":"b', "it is truncated: it ends too early (byte 7)."),
        (b"", "it is empty."),
        (b" \r\n", "it is empty."),
        (b'{"a":"b\xff"}', "it is not UTF-8 (byte 7)."),
        (b'{"\xc3\xa9":"\xc3"}', "it is not UTF-8 (byte 7)."),
    ],
)
def test_what_is_wrong_is_said_with_its_place(body: bytes, told: str) -> None:
    """Whoever reads the refusal looks for what is wrong, not for bytes that got lost."""
    error = refused(body)
    assert error.code == "invalid_json"
    assert told in error.message


def test_many_surrogates_are_looked_through_in_time() -> None:
    """The search is one pass, whatever stands before the end that is missing."""
    body = rb'{"a":"' + rb"\\" * 500_000 + rb"\ud83d\ude00" * 300_000
    began = time.process_time()
    assert "truncated" in refused(body).message
    assert time.process_time() - began < 2
