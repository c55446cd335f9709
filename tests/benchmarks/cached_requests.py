"""What a request takes that is answered from the cache.

A whole gateway with the model that is built in, on an embedded Redis with 50,000 answers. The
client is a process of its own that asks one request after the other on one connection. Ends with a
line of JSON: milliseconds, p50 and p99, and the lag of the gateway's event loop meanwhile.
`python -m tests.benchmarks.cached_requests`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from app.adapters.redis.embedded import embedded_redis
from tests.benchmarks.answers import Corpus, fill
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

#: Tenants and partitions of the answers that are there before.
_TENANTS: Final = 50
_PARTITIONS: Final = 20
_LAG_STEP_S: Final = 0.002
_PLACES: Final = (
    "Norway Sweden Denmark Finland Iceland Estonia Latvia Lithuania Poland Germany "
    "France Spain Portugal Italy Austria Hungary Romania Bulgaria Greece Turkey "
    "Egypt Morocco Tunisia Algeria Kenya Ghana Nigeria Senegal Ethiopia Angola "
    "Zambia Botswana Namibia Madagascar Chile Peru Bolivia Brazil Argentina Uruguay "
    "Paraguay Colombia Ecuador Panama Mexico Cuba Jamaica Canada Japan Vietnam "
    "Thailand Malaysia Indonesia India Nepal Pakistan Iran Iraq Jordan Israel "
)
_FORMS: Final = (
    "what is the capital of {place}",
    "What is the capital of {place}? Thanks!",
    "Please tell me: what is the capital of {place}?",
)


def _config(suffix: str) -> dict[str, Any]:
    return ptu_and_paygo(suffix) | {
        "cache": {"exact": {"enabled": True}, "semantic": {"enabled": True}}
    }


@asynccontextmanager
async def _running() -> AsyncIterator[Stack]:
    with tempfile.TemporaryDirectory() as directory:
        async with embedded_redis(Path(directory)) as server, stack(server.url, _config) as team:
            index = team.process.resources.cached.answers.index
            assert index is not None
            await eventually(lambda: index.trouble is None)
            yield team


class Lag:
    """By how much later than asked for the loop comes back, in ms."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    async def watch(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(_LAG_STEP_S)
            self.seen.append((time.perf_counter() - began - _LAG_STEP_S) * 1000)


def _asked(url: str, key: str, prompts: list[str]) -> list[tuple[str, float]]:
    """What each answer says of the cache, and how long it took, in ms."""
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {"api-key": key, "content-type": "application/json"}
    seen = []
    for prompt in prompts:
        said = [{"role": "user", "content": prompt}]
        body = json.dumps({"model": "gpt-4o", "max_tokens": 40, "messages": said}).encode()
        began = time.perf_counter()
        connection.request("POST", f"{place.path}/chat/completions", body, headers)
        answer = connection.getresponse()
        answer.read()
        took = (time.perf_counter() - began) * 1000
        seen.append((answer.headers["x-spillgate-cache"], took))
    return seen


async def _measured(team: Stack, prompts: list[str], expected: str) -> dict[str, float]:
    """Of those that were answered as expected, which has to be most of them."""
    lag = Lag()
    watching = asyncio.create_task(lag.watch())
    with get_context("spawn").Pool(1) as pool:
        asking = pool.apply_async(_asked, (team.base_url, team.key, prompts))
        while not asking.ready():
            await asyncio.sleep(0.05)
    watching.cancel()
    times = [took for result, took in asking.get() if result == expected]
    if len(times) < len(prompts) / 2:
        sys.exit(f"{len(times)} of {len(prompts)} were {expected}")
    cuts, lags = statistics.quantiles(times, n=100), statistics.quantiles(lag.seen, n=100)
    return {"requests": len(times), "p50": cuts[49], "p99": cuts[98], "lag_p99": lags[98]}


async def main() -> None:
    """Fill, ask, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=50_000)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    corpus = Corpus(given.answers, 512, _TENANTS, _PARTITIONS)
    firsts = [f"What is the capital of {place}?" for place in _PLACES.split()]
    near = [form.format(place=place) for form in _FORMS for place in _PLACES.split()]
    async with _running() as team:
        answers = team.process.resources.cached.answers
        await fill(answers, corpus)
        await _measured(team, firsts, "miss")
        await answers.settled()
        figures = {
            "answers": given.answers,
            "exact": await _measured(team, firsts * 10, "exact"),
            "semantic": await _measured(team, near, "semantic"),
        }
    print(json.dumps(figures, default=str))  # noqa: T201  # the figures


if __name__ == "__main__":
    asyncio.run(main())
