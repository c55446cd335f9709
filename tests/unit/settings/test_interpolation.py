"""References to variables and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings.fault import Resolved
from app.settings.interpolation import InterpolationError, Interpolator


def test_variables_files_and_escapes(tmp_path: Path) -> None:
    """References stand anywhere in a text; `$${` is the way to write `${`."""
    (tmp_path / "key.txt").write_text("from file\n")
    interpolator = Interpolator({"A": "1", "B_2": "2"}, tmp_path)
    assert interpolator.resolve("x${A}-${B_2}") == "x1-2"
    assert interpolator.resolve("${file:key.txt}") == "from file"
    assert interpolator.resolve(f"${{file:{tmp_path}/key.txt}}") == "from file"
    assert interpolator.resolve("$${A} $A $ {A}") == "${A} $A $ {A}"


def test_what_is_put_in_is_not_searched_again(tmp_path: Path) -> None:
    """A value may hold `${` without reaching for other secrets."""
    assert Interpolator({"A": "${B}", "B": "no"}, tmp_path).resolve("${A}") == "${B}"


def test_resolved_text_is_marked(tmp_path: Path) -> None:
    """So that no message repeats it."""
    interpolator = Interpolator({"A": "1"}, tmp_path)
    assert isinstance(interpolator.resolve("${A}"), Resolved)
    assert not isinstance(interpolator.resolve("A"), Resolved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "environment variable NONE is not set"),
        ("${EMPTY}", "environment variable EMPTY is empty"),
        ("${", "is not closed"),
        ("a ${A", "is not closed"),
        ("${}", "must hold the name"),
        ("${a-b}", "must hold the name"),
        ("${file:none}", "cannot be read: No such file"),
        ("${file:.}", "not an ordinary file"),
        ("${file:/dev/zero}", "not an ordinary file"),
        ("${file:empty}", "is empty"),
        ("${file:binary}", "not UTF-8"),
        ("${file:big}", "larger than 65536 bytes"),
        ("${file:a\x00b}", "cannot be read"),
        ("${file:a\nb}", r"file 'a\\nb' cannot be read"),
    ],
)
def test_what_cannot_be_resolved_is_named(text: str, message: str, tmp_path: Path) -> None:
    """The reason is told on one line, without content."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\xfa")
    (tmp_path / "big").write_text("x" * 70_000)
    with pytest.raises(InterpolationError, match=message) as raised:
        Interpolator({"A": "1", "EMPTY": ""}, tmp_path).resolve(text)
    assert "\n" not in str(raised.value)
