from __future__ import annotations

import base64
import math
import struct
from array import array

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.embedder.embeddings_api import (
    MAX_BYTES,
    UnusableVectorError,
    request_body,
    vector_of,
)
from app.simulator.embedding_bodies import embedding_body
from tests.fakes.embedder import unpacked

NUMBERS = st.floats(-100, 100, width=32).filter(lambda number: abs(number) > 1e-3)


def answer(embedding: object) -> bytes:
    return orjson.dumps({"object": "list", "data": [{"index": 0, "embedding": embedding}]})


def body(text: str, base_model: str = "text-embedding-3-small") -> dict[str, object]:
    packed = request_body("embed", text, base_model=base_model, dimensions=256)
    fields: dict[str, object] = orjson.loads(packed)
    return fields


def test_a_request_names_the_model_and_asks_for_base64() -> None:
    """And for as many numbers as the index has."""
    assert body("hello") == {
        "model": "embed",
        "input": "hello",
        "encoding_format": "base64",
        "dimensions": 256,
    }


@pytest.mark.parametrize("base_model", ["text-embedding-ada-002", "bge-m3"])
def test_only_models_that_know_it_are_sent_a_number_of_dimensions(base_model: str) -> None:
    """Others answer 400."""
    assert "dimensions" not in body("hello", base_model)


@given(st.text(max_size=20), st.integers(1, 4000))
def test_no_text_is_more_than_a_model_reads(text: str, times: int) -> None:
    """Cut between characters, never empty, and the beginning of what was given."""
    read = body(text * times)["input"]
    assert isinstance(read, str)
    assert 0 < len(read.encode()) <= MAX_BYTES
    assert (text * times or " ").startswith(read)


def test_half_a_character_of_json_is_no_trouble() -> None:
    """JSON can name a lone surrogate, which UTF-8 cannot hold."""
    assert body("a\ud83db")["input"] == "a?b"


@pytest.mark.parametrize("as_base64", [True, False])
def test_what_a_simulated_deployment_answers_is_understood(as_base64: bool) -> None:  # noqa: FBT001  # pytest names it
    """The simulator is written to Azure's documents, and shares no code with what reads it."""
    vector = array("f", (0.0, 0.6, -0.8))
    answered = orjson.dumps(embedding_body("embed", [vector], as_base64=as_base64))
    assert unpacked(vector_of(answered, dimensions=3)) == pytest.approx(vector)


@given(st.lists(NUMBERS, min_size=1, max_size=40))
def test_vectors_are_made_to_be_of_length_one(numbers: list[float]) -> None:
    """The same from base64 and from numbers, in the same direction."""
    packed = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    vector = vector_of(answer(packed), dimensions=len(numbers))
    assert vector == vector_of(answer(numbers), dimensions=len(numbers))
    length = math.hypot(*numbers)
    assert unpacked(vector) == pytest.approx([number / length for number in numbers], abs=1e-6)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"not json",
        b"[]",
        b'{"data": []}',
        b'{"data": [{}]}',
        answer(None),
        answer([]),
        answer([0, 0]),
        answer([1, 2, 3]),
        answer(["a", 1]),
        answer([1e400, 1]),
        answer("!!!!"),
        answer(base64.b64encode(b"12345").decode()),
        answer(base64.b64encode(struct.pack("<2f", math.nan, 1)).decode()),
        answer(base64.b64encode(struct.pack("<2f", 0, 0)).decode()),
    ],
)
def test_what_is_no_vector_is_refused(bad: bytes) -> None:
    """Whatever a server sends: one error, and never a vector of another length."""
    with pytest.raises(UnusableVectorError):
        vector_of(bad, dimensions=2)
