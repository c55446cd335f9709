"""The load that no public tool makes: streams, and requests that come when they are due.

    python -m loadtest.bench.driver < SPEC.json > FOUND.json

A process of its own, so that it has a core of its own. What it is told and what it says are the
values of `driver_spec`. Every request that was begun is answered, or has failed, when it ends.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
import uvloop

from loadtest.bench.driver_answers import Answers
from loadtest.bench.driver_leavers import Leavers
from loadtest.bench.driver_spec import Found, Spec, StreamsFound
from loadtest.bench.driver_streams import Streams


async def driven(spec: Spec) -> Found:
    """Put on the load, and tell what came of it."""
    kinds, streams, left = await asyncio.gather(Answers(spec).run(), _streams(spec), _leavers(spec))
    return Found(answers=[each.found() for each in kinds], streams=streams, left=left)


async def _streams(spec: Spec) -> StreamsFound | None:
    return None if spec.streams is None else await Streams(spec, spec.streams).run()


async def _leavers(spec: Spec) -> int:
    return 0 if spec.leavers is None else await Leavers(spec.leavers, spec.seed).run(spec.seconds)


def main() -> None:
    """Read, drive, write."""
    spec = msgspec.json.decode(sys.stdin.buffer.read(), type=Spec)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(driven(spec))))


if __name__ == "__main__":
    main()
