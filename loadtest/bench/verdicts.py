"""What the benchmark has to show, point by point: met or not, by how much."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, LARGE, MANY_STREAMS, ONE, OPEN
from loadtest.bench.results import DIRECT, OURS, TWO_WORKERS, Run

_ENVOY: Final = "envoy"


class Verdict(msgspec.Struct, frozen=True):
    """One point; `met` is None where it was not measured. A stretch is more than has to be met."""

    point: str
    asked: str
    found: str
    met: bool | None
    is_stretch: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that can be measured, and its bound: at most, or with `least` at least."""

    point: str
    asked: str
    measured: Callable[[Run], float | None]
    bound: float
    form: str
    least: bool = False
    is_stretch: bool = False

    def judged(self, run: Run) -> Verdict:
        """By a run; `{bound}` in what is asked is the bound."""
        asked = self.asked.format(bound=f"{self.bound:,g}")
        found = self.measured(run)
        if found is None:
            return Verdict(self.point, asked, "not measured", None, self.is_stretch)
        met = found >= self.bound if self.least else found <= self.bound
        return Verdict(self.point, asked, self.form.format(found), met, self.is_stretch)


def verdicts(run: Run) -> list[Verdict]:
    """All that this benchmark can tell."""
    return [_agreement(run), *(claim.judged(run) for claim in CLAIMS)]


def added_ms(run: Run, contender: str, lane: str, name: str) -> float | None:
    """How much more than direct in the same round, the median of rounds."""
    return _median(_less(run.figure(contender, lane, name), run.figure(DIRECT, lane, name)))


def ratio(run: Run, lane: str, name: str, other: str) -> float | None:
    """How many times the other's in the same round, the median of rounds."""
    return _median(_ratio(run.figure(OURS, lane, name), run.figure(other, lane, name)))


def _agreement(run: Run) -> Verdict:
    checked = [turn for turn in run.turns if turn.agreement]
    wrong = len(run.disagreements())
    asked = "after each round the load's count, metrics, account, ledger and archive agree"
    found = f"{len(checked) - wrong} of {len(checked)} rounds"
    return Verdict("0", asked, found, not wrong if checked else None)


def _over_envoys(run: Run) -> float | None:
    added = [added_ms(run, who, MANY_STREAMS, "ttft_p50") for who in (OURS, _ENVOY)]
    ours, envoys = added
    return None if ours is None or envoys is None else ours - envoys


def _growth(run: Run) -> float | None:
    beside, alone = (run.figure(OURS, LARGE, f"{each}_p99") for each in ("beside_100000", "alone"))
    return _median(_ratio(beside, alone))


def _stall(run: Run) -> float | None:
    slowest = run.figure(OURS, LARGE, "beside_400000_slowest")
    return _median(_less(slowest, run.figure(OURS, LARGE, "alone_p50")))


def _rss(run: Run, contender: str) -> float | None:
    return max((turn.rss_mb for turn in run.of(contender) if turn.rss_mb), default=None)


def _ratio(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    return {each: ours[each] / theirs[each] for each in ours if theirs.get(each, 0.0) > 0.0}


def _less(ours: Mapping[int, float], theirs: Mapping[int, float]) -> dict[int, float]:
    return {each: ours[each] - theirs[each] for each in ours if each in theirs}


def _median(by_round: Mapping[int, float]) -> float | None:
    return statistics.median(by_round.values()) if by_round else None


def _times(other: str, title: str, bound: float, *, is_stretch: bool = False) -> Claim:
    wanted = "a stretch: " if is_stretch else ""
    asked = f"32 connections: {wanted}at least {{bound}} times {title}'s requests a second"
    return Claim(
        "1",
        asked,
        lambda run: ratio(run, CLOSED, "per_s", other),
        bound,
        "{:.2f} times",
        least=True,
        is_stretch=is_stretch,
    )


def _by_processor_time(run: Run) -> float | None:
    """The other way round: less time, more requests."""
    ours = ratio(run, CLOSED, "cpu_us", _ENVOY)
    return None if not ours else 1 / ours


CLAIMS: Final = (
    _times(_ENVOY, "Envoy", 0.38),
    _times(_ENVOY, "Envoy", 0.55, is_stretch=True),
    Claim(
        "1",
        "the same by processor time alone, whatever limits the load: at least {bound} times",
        _by_processor_time,
        0.38,
        "{:.2f} times",
        least=True,
    ),
    _times("litellm", "LiteLLM", 60),
    _times("portkey", "Portkey", 9),
    Claim(
        "2",
        "one connection: adds at most {bound} ms (p50)",
        lambda run: added_ms(run, OURS, ONE, "p50"),
        0.25,
        "{:.2f} ms",
    ),
    Claim(
        "2",
        "one connection: adds at most {bound} ms (p99)",
        lambda run: added_ms(run, OURS, ONE, "p99"),
        0.6,
        "{:.2f} ms",
    ),
    Claim(
        "3",
        "400 streams: at least {bound} of direct's frames a second",
        lambda run: ratio(run, MANY_STREAMS, "frames_per_s", DIRECT),
        0.98,
        "{:.3f}",
        least=True,
    ),
    Claim(
        "3",
        "400 streams: at least {bound} frames a second",
        lambda run: _median(run.figure(OURS, MANY_STREAMS, "frames_per_s")),
        38_000,
        "{:,.0f}",
        least=True,
    ),
    Claim(
        "3",
        "400 streams: adds no more to the first frame than Envoy (p50)",
        _over_envoys,
        0,
        "{:+.2f} ms against Envoy",
    ),
    Claim(
        "3",
        "400 streams: processor time of a frame at most {bound} times Envoy's",
        lambda run: ratio(run, MANY_STREAMS, "cpu_us", _ENVOY),
        1.3,
        "{:.2f} times",
    ),
    Claim(
        "3",
        "400 streams: not one is changed",
        lambda run: (
            sum(found.values()) if (found := run.figure(OURS, MANY_STREAMS, "changed")) else None
        ),
        0,
        "{:.0f}",
    ),
    Claim(
        "3",
        "50 streams: adds at most {bound} ms to the first frame (p50)",
        lambda run: added_ms(run, OURS, FEW_STREAMS, "ttft_p50"),
        0.6,
        "{:.2f} ms",
    ),
    Claim(
        "4",
        "100 KB prompts beside small ones: these' p99 at most doubles",
        _growth,
        2,
        "{:.2f} times",
    ),
    Claim(
        "4", "400 KB prompts: hold no small request up for over {bound} ms", _stall, 20, "{:.1f} ms"
    ),
    Claim(
        "5",
        "open loop at 75 % of capacity: p99 from when it was due at most {bound} ms",
        lambda run: _median(run.figure(OURS, OPEN, "p99")),
        5,
        "{:.1f} ms",
    ),
    Claim(
        "6",
        "at most {bound} MB a worker at start, of several",
        lambda run: _rss(run, TWO_WORKERS),
        120,
        "{:.0f} MB",
    ),
    Claim(
        "6",
        "the same of the only one, the admin API in it",
        lambda run: _rss(run, OURS),
        120,
        "{:.0f} MB",
    ),
)
