"""What the answer cache takes at 50,000 answers: `python -m tests.benchmarks.answers`.

An embedded Redis with search; answers of 2 KB, with vectors of 512 numbers in random directions.
Looks come one after the other, through everything that a request's look goes through but the
embedder.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import struct
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.adapters.clock import SystemClock
from app.adapters.redis.answers import AnswerLimits, RedisAnswers, kept_answers
from app.adapters.redis.connection import Place
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.semantic_index import Space
from app.domain.cache.entry import Question
from tests.fakes.entries import an_entry
from tests.fakes.patient import PATIENCE_S, patient_client

LOOKS: Final = 1000
#: Tenants, and the partitions of each, over which the answers are spread.
SPREADS: Final = ((50, 20), (50, 1), (5, 1), (1, 1))
#: By how much a number of a vector is off when its answer is looked for.
_NOISE: Final = 0.01
_NEIGHBOURS: Final = 5
_QUEUED: Final = 200


@dataclass(frozen=True)
class Corpus:
    """Answers, each with a place among tenants and partitions."""

    answers: int
    dimensions: int
    tenants: int
    partitions: int

    def tenant(self, number: int) -> str:
        return f"tenant-{number % self.tenants}"

    def question(self, number: int) -> Question:
        partition = (number // self.tenants) % self.partitions
        prompt = f"What is to be known of matter number {number}, and where is it told?"
        return Question(_digest(number), _digest(1 << 40 | partition), prompt)

    def vector(self, number: int, noise: float = 0.0) -> bytes:
        dice, other = random.Random(number), random.Random()
        numbers = [
            dice.gauss(0, 1) / math.sqrt(self.dimensions) + other.gauss(0, noise)
            for _ in range(self.dimensions)
        ]
        length = math.hypot(*numbers)
        return struct.pack(f"<{self.dimensions}f", *(each / length for each in numbers))


async def measured(corpus: Corpus) -> None:
    """One row of figures."""
    with tempfile.TemporaryDirectory() as directory:
        async with embedded_redis(Path(directory)) as server, patient_client(server.url) as redis:
            before = int((await redis.info("memory"))["used_memory"])
            space = Space("benchmark", corpus.dimensions)
            limits = AnswerLimits(lookup_s=PATIENCE_S, search_s=PATIENCE_S, work_s=PATIENCE_S)
            async with kept_answers(
                Place(server.url), SystemClock(), limits=limits, space=space
            ) as cache:
                while cache.index is None or cache.index.trouble is not None:
                    await asyncio.sleep(0.01)
                keeping = await fill(cache, corpus)
                memory = int((await redis.info("memory"))["used_memory"]) - before
                finding = await _looked(corpus, lambda at: _find(cache, corpus, at))
                nearing = await _looked(corpus, lambda at: _nearest(cache, corpus, at))
    print(  # noqa: T201  # the figures
        f"{corpus.tenants} tenants, {corpus.partitions} partitions each, {corpus.dimensions} "
        f"dimensions: find {finding}, nearest {nearing}, kept in {keeping:.2f} ms each, "
        f"{memory / 1e6:.0f} MB",
        flush=True,
    )


async def fill(cache: RedisAnswers, corpus: Corpus) -> float:
    """How long keeping an answer takes, in ms."""
    body = (b'{"choices":[{"message":{"content":"' + b"A word of an answer. " * 90)[:2000]
    spent = 0.0
    for start in range(0, corpus.answers, _QUEUED):
        numbers = range(start, min(start + _QUEUED, corpus.answers))
        vectors = [corpus.vector(number) for number in numbers]
        began = time.perf_counter()
        for number, vector in zip(numbers, vectors, strict=True):
            entry = an_entry(question=corpus.question(number), body=body)
            await cache.keep(corpus.tenant(number), entry, 3600.0, vector)
        await cache.settled()
        spent += time.perf_counter() - began
    return spent / corpus.answers * 1000


async def _looked(corpus: Corpus, look: Callable[[int], Awaitable[float]]) -> str:
    dice = random.Random(7)
    times = sorted([await look(dice.randrange(corpus.answers)) for _ in range(LOOKS)])
    return f"p50 {times[LOOKS // 2]:.2f} p99 {times[LOOKS * 99 // 100]:.2f} ms"


async def _find(cache: RedisAnswers, corpus: Corpus, number: int) -> float:
    began = time.perf_counter()
    entry = await cache.find(corpus.tenant(number), corpus.question(number).fingerprint)
    spent = time.perf_counter() - began
    if entry is None:
        sys.exit("an answer is missing")
    return spent * 1000


async def _nearest(cache: RedisAnswers, corpus: Corpus, number: int) -> float:
    vector, question = corpus.vector(number, _NOISE), corpus.question(number)
    began = time.perf_counter()
    near = await cache.nearest(corpus.tenant(number), question.partition, vector, _NEIGHBOURS)
    spent = time.perf_counter() - began
    if near[0].fingerprint != question.fingerprint:
        sys.exit("the nearest is another")
    return spent * 1000


def _digest(number: int) -> bytes:
    return number.to_bytes(16, "big")


async def main() -> None:
    """All spreads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=512)
    given = parser.parse_args()
    for tenants, partitions in SPREADS:
        await measured(Corpus(given.answers, given.dimensions, tenants, partitions))


if __name__ == "__main__":
    asyncio.run(main())
