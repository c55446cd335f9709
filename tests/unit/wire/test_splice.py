"""Members changed where they stand: the same as reading the whole body, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.splice import with_model, with_usage_asked_for

#: Names and values that look like what is looked for.
words = st.sampled_from(
    ["model", "stream_options", '"model"', "a", "\\", 'x"model', 'model":"y"}', "é", "\x00", "{}"]
) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
bodies = st.dictionaries(words, values, max_size=4)


Form = Callable[[dict[str, Any]], bytes]
forms = st.builds(
    lambda indent, ascii_only: (
        lambda fields: json.dumps(fields, indent=indent, ensure_ascii=ascii_only).encode()
    ),
    st.none() | st.just(1),
    st.booleans(),
)


@given(bodies, words, st.integers(0, 4), forms)
def test_a_model_is_renamed_or_left_to_others(
    others: dict[str, Any], model: str, place: int, as_json: Form
) -> None:
    """Wherever it stands among members that look like it; all else stays as it was."""
    others.pop("model", None)
    fields = list(others.items())
    fields.insert(place, ("model", model))
    renamed = with_model(as_json(dict(fields)), b'"other"')
    if renamed is not None:
        assert renamed == as_json({**dict(fields), "model": "other"})


@given(bodies, forms)
def test_usage_is_asked_for_or_left_to_others(fields: dict[str, Any], as_json: Form) -> None:
    """Where there are no options yet, whatever looks like them."""
    fields["stream"] = True
    asked = with_usage_asked_for(as_json(fields))
    if "stream_options" in fields:
        assert asked is None
    elif asked is not None:
        assert json.loads(asked) == {**fields, "stream_options": {"include_usage": True}}


def test_the_usual_body_is_changed_in_place() -> None:
    """Its spaces stay, too."""
    body = b'{ "messages": [{"role": "user", "content": "\\u00e9"}],\n "model" : "a", "n": 1 }\n'
    assert with_model(body, b'"east"') == body.replace(b'"a"', b'"east"')
    asked = body.replace(b" }\n", b' ,"stream_options":{"include_usage":true}}\n')
    assert with_usage_asked_for(body) == asked


@pytest.mark.parametrize(
    "body",
    [
        b'{"mod\\u0065l":"a","metadata":{"model":"b"}}',
        b'{"messages":[{"role":"model"}],"model":"a"}',
        b'{"model":"\\u0061"}',
        b'{"model":"a\\"b"}',
        b'{"input":"model","mo\\u0064el":"a"}',
    ],
)
def test_what_could_be_another_is_not_touched(body: bytes) -> None:
    """Names with escapes, names that stand elsewhere, models with quotes."""
    assert with_model(body, b'"east"') is None


def test_options_may_be_spelt_with_escapes() -> None:
    """And are seen then."""
    assert with_usage_asked_for(b'{"stream":true,"stream\\u005foptions":{}}') is None
