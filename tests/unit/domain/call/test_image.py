"""Tokens of images by the published rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.image import Image, image_tokens

MODELS = ("gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "gpt-5", "gpt-5.4", "gpt-6-sol", "o3", "other")
DETAILS = ("low", "high", "original", "auto", "odd")


@pytest.mark.parametrize(
    ("model", "image", "tokens"),
    [
        # The examples of OpenAI's guide.
        ("gpt-4o", Image(1024, 1024), 85 + 4 * 170),
        ("gpt-4o", Image(2048, 4096), 85 + 6 * 170),
        ("gpt-4o", Image(4096, 8192, "low"), 85),
        ("gpt-4.1-mini", Image(1024, 1024), 1659),
        ("GPT-4o-mini", Image(1024, 1024), 2833 + 4 * 5667),
        ("gpt-4o", Image(1, 1), 85 + 170),
        ("gpt-4o", Image(512, 513), 85 + 2 * 170),
        ("gpt-4.1", Image(768, 2048), 85 + 8 * 170),
        ("gpt-5", Image(1024, 1024), 70 + 4 * 140),
        ("gpt-5.1-2025-11-13", Image(1024, 1024), 70 + 4 * 140),
        ("o1", Image(1024, 1024), 75 + 4 * 150),
        # Bills that users posted: the whole budget once an image is scaled down.
        ("gpt-4.1-mini", Image(4000, 1474), 2489),
        ("gpt-6-sol", Image(1280, 720, "high"), 1104),
        ("gpt-6-sol", Image(640, 480, "low"), 231),
        ("gpt-6-sol", Image(3200, 960), 3600),
        ("gpt-5.4", Image(4000, 4000), 3000),
        ("gpt-5.4", Image(4000, 4000, "original"), 12_000),
        ("gpt-5.5", Image(4000, 4000), 12_000),
        ("gpt-5-mini", Image(1024, 1024), 1659),
        ("gpt-5.1-codex-mini", Image(1024, 1024), 1659),
        ("gpt-5.2", Image(1024, 1024), 1229),
    ],
)
def test_images_are_priced_by_their_rule(model: str, image: Image, tokens: int) -> None:
    """Tiles or patches."""
    assert image_tokens(image, model) == tokens


@given(
    st.sampled_from(MODELS),
    st.sampled_from(DETAILS),
    st.integers(1, 2**32 - 1),
    st.integers(1, 2**32 - 1),
)
def test_an_unknown_size_is_the_largest(model: str, detail: str, width: int, height: int) -> None:
    """No image of any size costs more than one that nobody has seen."""
    known = image_tokens(Image(width, height, detail), model)
    assert 0 < known <= image_tokens(Image(detail=detail), model)


@given(st.sampled_from(MODELS), st.integers(1, 9000), st.integers(1, 9000))
def test_less_detail_never_costs_more(model: str, width: int, height: int) -> None:
    """Low, high, original."""
    costs = [image_tokens(Image(width, height, detail), model) for detail in DETAILS[:3]]
    assert costs == sorted(costs)
