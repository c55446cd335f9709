"""What is asked of a search module, and what is believed of its answers."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import NoPermissionError, ResponseError

from app.adapters.redis.answers_script import PREFIX, key_of
from app.adapters.redis.batch import Batch, Command, NotSent, Refused
from app.adapters.redis.connection import Place
from app.adapters.redis.semantic_index import (
    SemanticIndex,
    Space,
    Trouble,
    place_of,
    query_of,
    schema_of,
)
from app.errors import StoreUnavailable
from tests.fakes.embedder import packed

SPACE = Space("mini-lm", 4)
TAG, PARTITION = "ab" * 16, "cd" * 16
NORTH = packed((1, 0), 4)


class ToldBatch(Batch):
    """Answers what it was told to."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[Command] = []

    async def call(self, command: Command, *, as_told: bool = False) -> Any:
        self.asked.append(command)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def index_of(answer: Any) -> tuple[SemanticIndex, ToldBatch]:
    """An index that is there, over a server that answers so."""
    batch = ToldBatch(answer)
    index = SemanticIndex(batch, Place("unix:///nonexistent"), SPACE)
    index.trouble = None
    return index, batch


async def searched(answer: Any) -> list[tuple[str, float]]:
    index, _ = index_of(answer)
    return [(each.key, each.distance) for each in await index.search(TAG, PARTITION, NORTH, 5)]


class TestQuery:
    @pytest.mark.parametrize(
        "wrong", ["", "*", "ab", "AB" * 16, "ab" * 16 + "|cd", "ab" * 16 + "\n", " ", "ab" * 33]
    )
    def test_only_tags_are_looked_for(self, wrong: str) -> None:
        """Nothing that is empty, or that means something to a query."""
        for tag, partition in ((wrong, PARTITION), (TAG, wrong)):
            with pytest.raises(ValueError, match="no tag"):
                place_of(tag, partition)
        with pytest.raises(ValueError, match="no tag"):
            query_of(SPACE, wrong, NORTH, 1)

    def test_places_are_tenants_and_partitions(self) -> None:
        """Another tenant or another partition is another place, also if they change sides."""
        pairs = [(TAG, PARTITION), (PARTITION, TAG), (TAG, TAG), (TAG, PARTITION + "cd")]

        assert len({place_of(*pair) for pair in pairs}) == 4

    async def test_within_a_place_always(self) -> None:
        """The nearest of one tenant's partition, and no more fields than are needed."""
        index, batch = index_of([0])
        only = f"@place:{{{place_of(TAG, PARTITION)}}}"

        await index.search(TAG, PARTITION, NORTH, 3)

        assert batch.asked == [
            (
                "FT.SEARCH",
                index.name,
                f"({only})=>[KNN 3 @vector_mini_lm_4 $vector AS vector_distance]",
                *("PARAMS", 2, "vector", NORTH),
                *("RETURN", 2, "meta", "vector_distance", "LIMIT", 0, 3, "DIALECT", 2),
            )
        ]


class TestSchema:
    def test_what_is_indexed(self) -> None:
        """A tag, told apart by case and by nothing that is in it, and a vector; no text."""
        said = schema_of(SPACE).to_dict()

        assert said["index"]["prefix"] == PREFIX
        assert PREFIX.endswith(":")
        assert key_of(TAG, "f").startswith(PREFIX)
        kinds = {field["name"]: field["type"] for field in said["fields"]}
        assert kinds == {"place": "tag", "vector_mini_lm_4": "vector"}
        attrs = said["fields"][0]["attrs"]
        assert attrs["case_sensitive"]
        assert attrs["separator"] == "\x1f"

    def test_a_name_for_each_space(self) -> None:
        """Vectors that cannot be compared are in indexes and fields of their own."""
        spaces = [Space("a", 4), Space("a-4", 4), Space("a", 44), Space("b", 4)]

        assert len({schema_of(space).index.name for space in spaces}) == 4
        assert len({space.field for space in spaces}) == 4

    @pytest.mark.parametrize("name", ["", "A", "a_b", "a b", "-a", "a-", "a*", "ä"])
    def test_names_that_cannot_be_part_of_a_query(self, name: str) -> None:
        """An embedder's name is lower case letters, digits and single dashes."""
        with pytest.raises(ValueError, match="embedder"):
            Space(name, 4)

    def test_lengths(self) -> None:
        """A vector is of length 1, or none."""
        assert SPACE.fits(NORTH)
        assert SPACE.fits(packed((1, 2, 3, 4), 4))
        assert not SPACE.fits(b"\0" * 16)
        assert not Space("a", 1).fits(packed((1,), 1)[:3])
        assert not SPACE.fits(NORTH * 2)


class TestAnswers:
    async def test_in_both_forms(self) -> None:
        """RESP3's map and RESP2's list say the same; the nearest is first whatever the order."""
        far = {b"meta": b"m", b"vector_distance": b"0.5"}
        near = {b"meta": b"m", b"vector_distance": b"0.25"}
        expected = [("near", 0.25), ("far", 0.5)]

        in_map = {
            b"total_results": 2,
            b"results": [
                {b"id": b"far", b"extra_attributes": far, b"values": []},
                {b"id": b"near", b"extra_attributes": near, b"values": []},
            ],
        }
        in_list = [2, b"far", [part for item in far.items() for part in item]]
        in_list += [b"near", [part for item in near.items() for part in item]]

        assert await searched(in_map) == expected
        assert await searched(in_list) == expected

    @pytest.mark.parametrize(
        "fields",
        [
            None,
            {},
            {b"meta": b"m"},
            {b"vector_distance": b"0.1"},
            {b"meta": None, b"vector_distance": b"0.1"},
            {b"meta": b"m", b"vector_distance": b"nan"},
            {b"meta": b"m", b"vector_distance": b"inf"},
            {b"meta": b"m", b"vector_distance": b"-1"},
            {b"meta": b"m", b"vector_distance": b"2.1"},
            {b"meta": b"m", b"vector_distance": b"x"},
            {b"meta": b"m", b"vector_distance": None},
        ],
    )
    async def test_fields_that_are_missing(self, fields: dict[bytes, Any] | None) -> None:
        """What ended while it was searched has none (Redis 8.8): it is a miss."""
        pairs = None if fields is None else [part for item in fields.items() for part in item]

        assert await searched({b"results": [{b"id": b"k", b"extra_attributes": fields}]}) == []
        assert await searched([1, b"k", pairs]) == []

    async def test_a_little_less_than_nothing(self) -> None:
        """A distance below 0 by rounding is 0."""
        fields = {b"meta": b"m", b"vector_distance": b"-1.1920929e-07"}
        assert await searched({b"results": [{b"id": b"k", b"extra_attributes": fields}]}) == [
            ("k", 0.0)
        ]


class TestTrouble:
    @pytest.mark.parametrize(
        ("cause", "trouble"),
        [
            (ResponseError("spillgate:meaning: no such index"), Trouble.NOT_YET),
            (ResponseError("Index with name 'x' not found in database 0"), Trouble.NOT_YET),
            (ResponseError("unknown command 'FT.SEARCH', with args"), Trouble.NO_MODULE),
            (ResponseError("Unknown argument `RETURN`"), Trouble.REFUSED),
        ],
    )
    async def test_refused(self, cause: Exception, trouble: Trouble) -> None:
        """Nothing is near, counted by reason, and nobody asks again before it is mended."""
        refused = Refused("refused")
        refused.__cause__ = cause
        index, batch = index_of(refused)

        assert await index.search(TAG, PARTITION, NORTH, 1) == []
        assert await index.search(TAG, PARTITION, NORTH, 1) == []

        assert len(batch.asked) == 1
        assert index.counts == {trouble: 2}

    async def test_no_permission(self) -> None:
        """The same where the server does not let us search."""
        forbidden = StoreUnavailable("refused")
        forbidden.__cause__ = NoPermissionError("NOPERM")
        index, _ = index_of(forbidden)

        assert await index.search(TAG, PARTITION, NORTH, 1) == []
        assert index.trouble is Trouble.NO_PERMISSION
        assert index.fields(TAG, b"p" * 16, NORTH) == {}

    async def test_no_answer(self) -> None:
        """A lost store is not a lost index."""
        index, _ = index_of(NotSent("lost"))

        with pytest.raises(StoreUnavailable):
            await index.search(TAG, PARTITION, NORTH, 1)
        assert index.trouble is None

    async def test_a_vector_of_no_length(self) -> None:
        """It is not asked for: everything is as near to it as anything."""
        index, batch = index_of([0])

        for vector in (b"", b"\0" * 16, packed((1, 0), 4)[:-1], b"\xff" * 16):
            assert await index.search(TAG, PARTITION, vector, 1) == []

        assert batch.asked == []
        assert index.counts == {"unfit_vector": 4}
