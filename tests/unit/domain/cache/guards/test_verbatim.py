"""What has to be the same to the letter."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.verbatim import is_apart


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("why?\nfor i in x:\n    f(i)\n    g(i)", "why?\nfor i in x:\n    f(i)\ng(i)"),
        ("Is it right?\na:\n  b: 1\n  c: 2", "Is it right?\na:\n  b: 1\nc: 2"),
        ("Count 'a  b'", "Count 'a b'"),
        ("What is (1+2)*3?", "What is 1+2*3?"),
        ("What is 10-4-3?", "What is 10-(4-3)?"),
        ("What is -3^2?", "What is (-3)^2?"),
        ("What is log(a)+b?", "What is log(a+b)?"),
        ("What is P(A|B)?", "What is P(B|A)?"),
        ("What does print(a, b) do?", "What does print(b, a) do?"),
        ("What is a - (b + c)?", "What is (a - b) + c?"),
        ("What is 5!?", "What is 5?"),
        ("Is .5 more?", "Is 5 more?"),
        ("What does .gitignore do", "What does gitignore do"),
        ("What does !important do?", "What does important do?"),
        ("What does ; do in bash", "What does : do in bash"),
        ("What does () mean?", "What does , mean?"),
        ("What is 1e5?", "What is 1e-5?"),
        ("explain cp a b", "explain cp b a"),
    ],
)
def test_other_letters_are_something_else(left: str, right: str) -> None:
    """Indentation, blanks in quotes, brackets, operands, punctuation asked about, arguments."""
    assert is_apart(left, right)
    assert is_apart(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("What is 2 * (3 + 4)?", "Hi, could you tell me what 2*(3+4) is, please?"),
        ("How do I do it? Thanks!", "how do i do it"),
        ("Is it two-factor?", "is it two factor"),
        ("Use the file(s)", "Use the files"),
        ("Is it on .NET?", "Is it on dotnet?"),
        ("  Is it on?\n", "Is it on?"),
        ("Peut-on (vite) ?", "Peut-on vite?"),
    ],
)
def test_prose_may_be_written_in_other_ways(left: str, right: str) -> None:
    """Blanks, politeness, hyphens and brackets of prose are no part of an expression."""
    assert not is_apart(left, right)
    assert not is_apart(right, left)
