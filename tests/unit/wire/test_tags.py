"""A request's own tags: read from one header, or refused with a word on what is wrong."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest
from app.settings.tag_format import MAX_TAGS, MAX_VALUE
from app.wire.tags import MAX_HEADER, NO_TAGS, TAGS_HEADER, request_tags

NAMES = st.from_regex(r"\A[a-z0-9_.-]{1,32}\Z")
VALUES = st.text(min_size=1, max_size=12).filter(str.isprintable).map(str.strip).filter(bool)


def read(text: str) -> dict[str, str]:
    return dict(request_tags({TAGS_HEADER: text}))


def test_without_the_header_nothing_is_made() -> None:
    """The same empty mapping for every request."""
    assert request_tags({"authorization": "Bearer x"}) is NO_TAGS


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("project=alpha,cost_center=42", {"project": "alpha", "cost_center": "42"}),
        (" project = alpha ,\tcost-center=42 ", {"project": "alpha", "cost-center": "42"}),
        ("a=b=c", {"a": "b=c"}),
        ("a=x;y", {"a": "x;y"}),
        ("team=M%C3%BCnchen%2C%20100%25", {"team": "München, 100%"}),
        ("a=two words", {"a": "two words"}),
        ("", {}),
        (" , a=1, ,", {"a": "1"}),
    ],
)
def test_tags_are_a_list(text: str, tags: dict[str, str]) -> None:
    """Commas between them, spaces around them, percent-encoding in values."""
    assert read(text) == tags


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("project", "'project' must be written name=value"),
        ("=alpha", "'': a tag's name must be 1 to 32 of the characters"),
        ("Project=alpha", "'Project': a tag's name must be"),
        ("a b=c", "'a b': a tag's name must be"),
        ("n" * 33 + "=c", "a tag's name must be 1 to 32"),
        ("a=", "the tag 'a': a tag's value must be 1 to 64 printable characters"),
        ("a=" + "v" * (MAX_VALUE + 1), "the tag 'a': a tag's value must be 1 to 64"),
        ("a=x%0Ay", "the tag 'a': a tag's value must be 1 to 64 printable"),
        ("a=x%E2%80%AEy", "the tag 'a': a tag's value must be 1 to 64 printable"),
        ("a=50%", "the tag 'a': '%' and what is not ASCII must be percent-encoded as UTF-8"),
        ("a=%FF", "the tag 'a': '%' and what is not ASCII must be percent-encoded as UTF-8"),
        ("a=Ã¼", "the tag 'a': '%' and what is not ASCII must be percent-encoded as UTF-8"),
        ("a=1,b=2,a=3", "the tag 'a' is there twice"),
        (",".join(f"t{n}=1" for n in range(9)), "it has 9 tags, at most 8 are taken"),
        ("a=" + "v" * MAX_HEADER, f"it must have at most {MAX_HEADER} characters"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    """A 400 that names the header and the tag."""
    with pytest.raises(MalformedRequest) as caught:
        read(text)
    error = caught.value
    assert (error.status, error.param, error.code) == (400, TAGS_HEADER, "invalid_value")
    assert error.message.startswith(f"Invalid '{TAGS_HEADER}': ")
    assert what in error.message


@given(st.dictionaries(NAMES, VALUES, max_size=MAX_TAGS))
def test_what_is_encoded_is_read_back(tags: dict[str, str]) -> None:
    """Whatever the values are."""
    assert read(", ".join(f"{name}={quote(value)}" for name, value in tags.items())) == tags


@given(st.text(max_size=200))
def test_any_header_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, and what is read keeps to the bounds."""
    tags: dict[str, str] = {}
    with suppress(MalformedRequest):
        tags = read(text)
    assert len(tags) <= MAX_TAGS
    assert all(0 < len(value) <= MAX_VALUE for value in tags.values())
