"""What records keep of an upstream's own words."""

from __future__ import annotations

import pytest

from app.domain.routing.told import code_told, id_told, name_told


@pytest.mark.parametrize(
    "code",
    [
        "rate_limit_exceeded",
        "DeploymentNotFound",
        "429",
        "invalid_request_error",
        "a.b-c",
        "x" * 64,
        "gpt-4o-2024-11-20",
    ],
)
def test_codes_are_kept(code: str) -> None:
    """Azure's, OpenAI's and other servers' codes are words or numbers."""
    assert code_told(code) == code


@pytest.mark.parametrize(
    "code",
    [None, "", "Cannot read: my secret prompt", "x" * 65, "a\nb", "\x1b[31m", "naïve", "-x", "a\n"],
)
def test_sentences_are_not(code: str | None) -> None:
    """A server that puts the prompt where its code belongs does not put it into records."""
    assert code_told(code) is None


@pytest.mark.parametrize(
    "key",
    [
        *("0a" * 16, "Bq9" * 21, f"sk-proj-{'a1' * 12}", "x" * 30 + "1"),
        *("0f8fad5b-d9cb-469f-a165-70867728950e", "sk-0F8FAD5B-D9CB-469F-A165-70867728950E"),
    ],
)
def test_keys_are_not(key: str) -> None:
    """A server that puts the key that it was sent where its code belongs does not, either."""
    assert code_told(key) is None


def test_names_are_bounded() -> None:
    """An id as Azure gives it is kept; what is no name, or longer than any, is not."""
    assert name_told("8f3a1c2e-0b64-4f3e-9d6e-5a1a6b8f9c01") is not None
    for odd in (None, "", "two words", "x" * 129, "a\x00b", "ü"):
        assert name_told(odd) is None


def test_ids_of_answers_are_words() -> None:
    """Longer ones than codes; no more than a word all the same."""
    for fine in ("chatcmpl-AbC123", f"resp_{'0a' * 48}", "x" * 128):
        assert id_told(fine) == fine
    for odd in (None, "", "two words", "x" * 129, "ann@example.com", "a\n"):
        assert id_told(odd) is None
