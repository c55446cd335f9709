"""What is measured of a gateway: a function for each lane, with the same load for everybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, cast

from loadtest.bench.driver_spec import AnswersFound, Arriving, Spec, StreamLoad, StreamsFound
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, LARGE, MANY_STREAMS, ONE, OPEN
from loadtest.bench.turn import Figures, Turn

_CLOSED_CONNECTIONS: Final = 32
_OPEN_PART: Final = 0.75
_OPEN_CONNECTIONS: Final = 256
#: Small requests beside large ones: often enough that none of the stalls in question is missed.
_SMALL_PER_S: Final = 250.0
_SMALL_CONNECTIONS: Final = 32
#: Bytes, and how many come a second.
_LARGE: Final = ((100_000, 20.0), (400_000, 5.0))
_LARGE_CONNECTIONS: Final = 8


def closed(turn: Turn) -> Figures:
    """Whole answers on 32 connections."""
    found, used = turn.closed(_CLOSED_CONNECTIONS)
    turn.capacity = found.per_s
    return {"per_s": found.per_s, "p50": found.p50, "p99": found.p99, "failed": found.failed} | used


def one(turn: Turn) -> Figures:
    """On one connection."""
    found, used = turn.closed(1)
    return {"per_s": found.per_s, "p50": found.p50, "p99": found.p99, "failed": found.failed} | used


def open_loop(turn: Turn) -> Figures:
    """Requests that come when they come; a time is from when each was due."""
    small = Arriving(turn.asked(), turn.capacity * _OPEN_PART, _OPEN_CONNECTIONS)
    found, used = turn.driven(Spec(turn.seconds, [small]))
    (answers,) = found.answers
    return {"asked_per_s": small.per_s, **_told(answers)} | used(answers.answered)


def large(turn: Turn) -> Figures:
    """Small requests alone, and beside prompts of each size."""
    small = Arriving(turn.asked(), _SMALL_PER_S, _SMALL_CONNECTIONS)
    found, _ = turn.driven(Spec(turn.seconds, [small]))
    figures = _told(found.answers[0], "alone_")
    for size, per_s in _LARGE:
        beside = Arriving(turn.asked(size), per_s, _LARGE_CONNECTIONS)
        found, _ = turn.driven(Spec(turn.seconds, [small, beside]))
        figures |= _told(found.answers[0], f"beside_{size}_")
        figures |= _told(found.answers[1], f"of_{size}_")
    return figures


def streams(at_once: int) -> Callable[[Turn], Figures]:
    """So many at once, 100 frames a second each."""

    def lane(turn: Turn) -> Figures:
        load = StreamLoad(turn.gateway.stream_asked(), at_once, turn.stream_crc32)
        found, used = turn.driven(Spec(turn.seconds, streams=load))
        of = cast("StreamsFound", found.streams)
        return {
            "frames_per_s": of.frames_per_s,
            "ttft_p50": of.ttft_p50,
            "ttft_p99": of.ttft_p99,
            "streams": of.streams,
            "failed": of.failed,
            "changed": of.changed,
            "crc32": of.crc32,
        } | used(of.frames)

    return lane


def _told(found: AnswersFound, prefix: str = "") -> Figures:
    names = ("per_s", "p50", "p99", "slowest", "failed")
    return {prefix + name: getattr(found, name) for name in names}


LANES: Final[Mapping[str, Callable[[Turn], Figures]]] = {
    CLOSED: closed,
    ONE: one,
    OPEN: open_loop,
    LARGE: large,
    FEW_STREAMS: streams(50),
    MANY_STREAMS: streams(400),
}
