"""The index by meaning over answers in Redis: what is near to a vector, within one partition.

redisvl makes the index and writes the query. The query is sent in a batch, within its time and past
its breaker: redisvl cannot read the answer of a RESP3 connection (0.28.0, `process_results`), and
redis-py's own reading would take bytes for text.

Where there is no index nothing is near: no search module, no permission, or an index of that name
that is another's. It is made in the background, also when it was dropped.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import re
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from redisvl.exceptions import RedisVLError  # type: ignore[import-untyped]  # it has no types
from redisvl.index import AsyncSearchIndex  # type: ignore[import-untyped]  # it has no types
from redisvl.query import VectorQuery  # type: ignore[import-untyped]  # it has no types
from redisvl.query.filter import Tag  # type: ignore[import-untyped]  # it has no types
from redisvl.schema import IndexSchema  # type: ignore[import-untyped]  # it has no types

from app.adapters.background import background
from app.adapters.redis.answers_script import PREFIX
from app.adapters.redis.batch import Batch, Refused
from app.adapters.redis.connection import Place, redis_client
from app.errors import StoreUnavailable

#: For making the index; no request waits for it.
_MAKING_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.5
#: Between attempts in the long run: what was missing may be there one day.
_LONGEST_PAUSE_S: Final = 60.0
#: A tenant's tag or a partition, as they are indexed. Nothing in it means anything to a query.
_TAG: Final = re.compile(r"[0-9a-f]{16,64}")
_EMBEDDER: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
#: By how much a vector's length may miss 1.
_LENGTH_ERROR: Final = 0.01
_FLOAT_BYTES: Final = 4
_PLACE: Final = "place"
_DISTANCE: Final = VectorQuery.DISTANCE_ID
_FARTHEST: Final = 2.0
#: Of a field, what must be as it was asked for; servers tell more than that.
_COMPARED: Final = frozenset(
    {"algorithm", "case_sensitive", "datatype", "dims", "distance_metric", "separator"}
)


class Trouble(StrEnum):
    """Why nothing can be found by meaning; a closed set."""

    NOT_YET = "not_yet"
    NO_ANSWER = "no_answer"
    REFUSED = "refused"
    NO_MODULE = "no_search_module"
    NO_PERMISSION = "no_permission"
    ANOTHERS = "another_schema"
    CLUSTER = "cluster"  # where a search does not reach all nodes, or not with every module


#: As long as it is one of these, vectors would only take room.
_LASTING: Final = frozenset(
    {Trouble.NO_MODULE, Trouble.NO_PERMISSION, Trouble.ANOTHERS, Trouble.CLUSTER}
)


@dataclass(frozen=True, slots=True)
class Space:
    """Vectors that can be compared: of one embedder, with so many numbers."""

    embedder: str
    dimensions: int

    def __post_init__(self) -> None:
        """Raises ValueError for a name that cannot be part of a query, or no dimensions."""
        if not _EMBEDDER.fullmatch(self.embedder) or self.dimensions < 1:
            msg = f"embedder: {self.embedder!r} with {self.dimensions} dimensions"
            raise ValueError(msg)

    @property
    def field(self) -> str:
        """The field of a hash that holds such a vector."""
        return f"vector_{self.embedder.replace('-', '_')}_{self.dimensions}"

    def fits(self, vector: bytes) -> bool:
        """Whether it is such a vector, of length 1. Others would be near to anything, or fail."""
        if len(vector) != self.dimensions * _FLOAT_BYTES:
            return False
        length = math.hypot(*struct.unpack(f"<{self.dimensions}f", vector))
        return abs(length - 1.0) <= _LENGTH_ERROR  # false for what is not finite


class Near(NamedTuple):
    """What the index found: a key, what is in its `meta`, and the cosine distance."""

    key: str
    meta: bytes
    distance: float


def schema_of(space: Space) -> IndexSchema:
    """A tag and a vector, nothing of text; its name changes with whatever it says.

    FLAT: exact, and at 50,000 answers as fast as HNSW where it is filtered, which it always is;
    what is added costs the server a fifteenth of the time (docs/measurements.md).
    """
    tag = {"case_sensitive": True, "separator": "\x1f"}
    vector = {
        "algorithm": "flat",
        "datatype": "float32",
        "dims": space.dimensions,
        "distance_metric": "cosine",
    }
    fields = [
        {"name": _PLACE, "type": "tag", "attrs": tag},
        {"name": space.field, "type": "vector", "attrs": vector},
    ]
    said = hashlib.blake2b(repr((PREFIX, fields)).encode(), digest_size=4).hexdigest()
    name = f"spillgate:meaning:{space.embedder}:{space.dimensions}:{said}"
    return IndexSchema.from_dict(
        {"index": {"name": name, "prefix": PREFIX, "storage_type": "hash"}, "fields": fields}
    )


def place_of(tag: str, partition: str) -> str:
    """A tenant's partition as it is indexed: one tag, because two cost the search three times.

    Raises ValueError for a tag or a partition that is not hex digits, the empty one above all.
    """
    for name, value in (("tenant", tag), ("partition", partition)):
        if not _TAG.fullmatch(value):
            msg = f"{name}: {len(value)} characters that are no tag"
            raise ValueError(msg)
    return hashlib.blake2b(f"{tag}:{partition}".encode(), digest_size=16).hexdigest()


def query_of(space: Space, place: str, vector: bytes, count: int) -> str:
    """The query, with `$vector` in it. Nothing else writes one.

    Raises ValueError for what is no place: redisvl searches everything where a tag is empty.
    """
    if not _TAG.fullmatch(place):
        msg = f"place: {len(place)} characters that are no tag"
        raise ValueError(msg)
    query = VectorQuery(
        vector, space.field, filter_expression=Tag(_PLACE) == place, num_results=count
    )
    return str(query.query_string())


class SemanticIndex:
    """One space's index; open within `indexing`."""

    def __init__(self, batch: Batch, place: Place, space: Space) -> None:
        """`place` leads to the server that the batch sends to."""
        self.space = space
        self.trouble: Trouble | None = Trouble.NOT_YET
        #: Searches that found nothing for want of an index or a fit vector, by reason.
        self.counts: Counter[str] = Counter()
        self._batch = batch
        self._schema = schema_of(space)
        self._client: Callable[[], AbstractAsyncContextManager[Redis]] = lambda: redis_client(
            place.url, operation_timeout_s=_MAKING_S, login=place.login
        )
        self._pause_s = _FIRST_PAUSE_S
        self._told: Trouble | None = None
        self._lost = asyncio.Event()

    @property
    def name(self) -> str:
        """The index's name in Redis."""
        return str(self._schema.index.name)

    def fields(self, tag: str, partition: bytes, vector: bytes) -> dict[str, bytes | str]:
        """What a hash needs to be found; nothing where it would not be."""
        if self.trouble in _LASTING:
            return {}
        if not partition or not self.space.fits(vector):
            self.counts["unfit_kept"] += 1
            return {}
        return {_PLACE: place_of(tag, partition.hex()), self.space.field: vector}

    async def search(self, tag: str, partition: str, vector: bytes, count: int) -> list[Near]:
        """The nearest, nearest first; both tags in hex. Raises StoreUnavailable.

        Raises ValueError as `place_of` does.
        """
        query = query_of(self.space, place_of(tag, partition), vector, count)
        if self.trouble is not None or not self.space.fits(vector):
            self.counts[self.trouble or "unfit_vector"] += 1
            return []
        try:
            answer = await self._batch.call(self._command(query, vector, count))
        except StoreUnavailable as error:
            about_it = isinstance(error, Refused) or isinstance(error.__cause__, NoPermissionError)
            if not about_it:
                raise
            self._lose(_trouble_of(error.__cause__))
            return []
        self._pause_s = _FIRST_PAUSE_S
        return sorted(_found(answer), key=lambda near: near.distance)

    async def keep_making(self) -> None:
        """Make the index whenever it is not there, for ever."""
        while True:
            self._lost.clear()
            self._note(await self._made())
            if self.trouble is None:
                await self._lost.wait()
            await asyncio.sleep(self._pause_s)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)

    def _command(self, query: str, vector: bytes, count: int) -> Sequence[bytes | str | int]:
        """No SORTBY, no range: so valkey-search can answer it, too."""
        wanted = ("RETURN", 2, "meta", _DISTANCE, "LIMIT", 0, count, "DIALECT", 2)
        return ("FT.SEARCH", self.name, query, "PARAMS", 2, "vector", vector, *wanted)

    def rule_out(self, trouble: Trouble) -> None:
        """Do without, and say why."""
        self._note(trouble)

    def _lose(self, trouble: Trouble) -> None:
        self.counts[trouble] += 1
        self._note(trouble)
        self._lost.set()

    async def _made(self) -> Trouble | None:
        try:
            async with asyncio.timeout(_MAKING_S), self._client() as client:
                index = AsyncSearchIndex(self._schema, redis_client=client)
                if not await index.exists():
                    await index.create()
                return None if await self._is_ours(client) else Trouble.ANOTHERS
        except (RedisVLError, RedisError, OSError) as error:
            return _trouble_of(error.__cause__ or error)

    async def _is_ours(self, client: Redis) -> bool:
        try:
            existing = await AsyncSearchIndex.from_existing(self.name, redis_client=client)
        except (LookupError, TypeError, ValueError):
            return True  # a server that tells it in another way; what is found is checked anyway
        return _compared(existing.schema) == _compared(self._schema)

    def _note(self, trouble: Trouble | None) -> None:
        """Say it once, and once that it is over."""
        self.trouble = trouble
        if trouble == self._told:
            return
        log = structlog.get_logger()
        if trouble is not None:
            log.warning("semantic_cache_off", reason=trouble, index=self.name)
        elif self._told is not None:
            log.info("semantic_cache_on", index=self.name)
        self._told = trouble


@asynccontextmanager
async def indexing(batch: Batch, place: Place, space: Space) -> AsyncIterator[SemanticIndex]:
    """An index that is made in the background as long as the scope is open; none in a cluster."""
    index = SemanticIndex(batch, place, space)
    if place.cluster:
        index.rule_out(Trouble.CLUSTER)
        yield index
        return
    async with background("semantic index", index.keep_making):
        yield index


def _compared(schema: IndexSchema) -> object:
    said = schema.to_dict()
    fields = {
        field["name"]: (
            field["type"],
            {name: value for name, value in field["attrs"].items() if name in _COMPARED},
        )
        for field in said["fields"]
    }
    return said["index"]["prefix"], fields


def _trouble_of(error: BaseException | None) -> Trouble:
    """What the server's answer says of it, if it answered."""
    if isinstance(error, NoPermissionError):
        return Trouble.NO_PERMISSION
    if not isinstance(error, ResponseError):
        return Trouble.NO_ANSWER
    text = str(error).lower()
    if "unknown command" in text:
        return Trouble.NO_MODULE
    is_missing = any(words in text for words in ("no such index", "unknown index", "not found"))
    return Trouble.NOT_YET if is_missing else Trouble.REFUSED


def _found(answer: Any) -> Iterable[Near]:
    """What has all its fields, of an answer in RESP3's form or in RESP2's."""
    for key, fields in _rows(answer):
        meta, distance = fields.get(b"meta"), _number(fields.get(_DISTANCE.encode()))
        if isinstance(meta, bytes) and 0.0 <= distance <= _FARTHEST:
            yield Near(key.decode("utf-8", "replace"), meta, distance)


def _rows(answer: Any) -> Iterable[tuple[bytes, Mapping[bytes, Any]]]:
    if isinstance(answer, Mapping):
        for row in answer.get(b"results", ()):
            yield row.get(b"id", b""), row.get(b"extra_attributes") or {}
        return
    for key, fields in zip(answer[1::2], answer[2::2], strict=False):
        values = fields or []
        yield key, dict(zip(values[::2], values[1::2], strict=True))


def _number(value: Any) -> float:
    """A distance, infinite for what is none; a little below 0 is the rounding of 0."""
    try:
        distance = float(value)
    except (TypeError, ValueError):
        return math.inf
    return 0.0 if -_LENGTH_ERROR < distance < 0.0 else distance
