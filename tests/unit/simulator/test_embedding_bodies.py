from __future__ import annotations

import base64
import math
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.simulator.embedding_bodies import dimensions_of, embedding_body, vector_of
from app.simulator.prompt import Prompt
from app.simulator.refusal import Refusal


def vector(text: str, dimensions: int = 256) -> array[float]:
    return vector_of(Prompt([1], text), dimensions)


def likeness(one: str, other: str) -> float:
    return math.fsum(a * b for a, b in zip(vector(one), vector(other), strict=True))


@given(text=st.text(max_size=100), dimensions=st.integers(1, 1536))
def test_vectors_are_unit_vectors_that_the_text_decides(text: str, dimensions: int) -> None:
    """Every text, empty ones too, has one vector of length 1."""
    made = vector(text, dimensions)

    assert len(made) == dimensions
    assert math.fsum(x * x for x in made) == pytest.approx(1.0, abs=1e-4)
    assert made == vector(text, dimensions)


def test_similar_texts_are_near() -> None:
    """A semantic cache finds a paraphrase and not another question."""
    question = "How do I reset my password?"
    assert likeness(question, "how do I reset my password") > 0.9
    assert likeness(question, "What is the weather in Oslo tomorrow?") < 0.4


def test_both_encodings_are_the_same_numbers() -> None:
    """base64 holds little-endian 32-bit floats."""
    made = vector("hello")
    packed = embedding_body("m", [made], as_base64=True)["data"][0]["embedding"]
    listed = embedding_body("m", [made], as_base64=False)["data"][0]["embedding"]

    assert array("f", base64.b64decode(packed)).tolist() == listed


def test_dimensions_are_the_models_or_fewer() -> None:
    """`dimensions` may shorten and not lengthen."""
    assert dimensions_of("text-embedding-3-large", {}) == 3072
    assert dimensions_of("text-embedding-3-small", {"dimensions": 8}) == 8
    with pytest.raises(Refusal):
        dimensions_of("text-embedding-3-small", {"dimensions": 4000})
