"""What the evaluation prints: tables of rates, and its last line."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tests.evaluation.cache.judged import Judged, Score, bare, guarded, score

SWEEP: Final = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8, 2.0)
#: What the promise allows to be wrong of what is served.
ALLOWED: Final = 0.02


def report(judged: Sequence[Judged], threshold: float) -> Iterator[str]:
    """Every line but the last."""
    yield "threshold   bare: served  wrong   with guards: served  wrong   (of the same, of served)"
    for at in (*(at for at in SWEEP if at != threshold), threshold):
        alone, both = score(judged, bare(at)), score(judged, guarded(at))
        name = {2.0: "any", threshold: f"{at:g} <-"}.get(at, f"{at:g}")
        yield f"{name:10}        {_rates(alone)}                {_rates(both)}"
    yield ""
    yield _best_bare(judged)
    yield from _groups("category", judged, threshold, lambda each: each.pair.category)
    yield from _groups("language", judged, threshold, lambda each: each.pair.language)
    yield from _refusals(judged)
    slow = sorted(each.seconds for each in judged)
    yield f"\nguards: median {slow[len(slow) // 2] * 1e3:.2f} ms, slowest {slow[-1] * 1e3:.1f} ms"


def last_line(judged: Sequence[Judged], threshold: float) -> str:
    """One line of JSON; `bare_...` is the distance alone, at the same threshold."""
    alone, both = score(judged, bare(threshold)), score(judged, guarded(threshold))
    return json.dumps(
        {
            "pairs": len(judged),
            "hit_rate": round(both.hit_rate, 4),
            "false_hit_rate": round(both.false_hit_rate, 4),
            "bare_hit_rate": round(alone.hit_rate, 4),
            "bare_false_hit_rate": round(alone.false_hit_rate, 4),
        }
    )


def best_bare(judged: Sequence[Judged]) -> tuple[float, Score]:
    """The largest threshold with which the distance alone keeps the promise."""
    best = (0.0, score(judged, bare(-1)))
    for at in sorted({each.distance for each in judged}):
        alone = score(judged, bare(at))
        if alone.false_hit_rate <= ALLOWED and alone.right > best[1].right:
            best = at, alone
    return best


def _best_bare(judged: Sequence[Judged]) -> str:
    at, alone = best_bare(judged)
    return (
        f"The distance alone is wrong in at most {ALLOWED:.0%} of what it serves up to {at:.3f}, "
        f"and then serves {alone.hit_rate:.1%} of those that mean the same."
    )


def _rates(found: Score) -> str:
    return f"{found.hit_rate:6.1%} {found.false_hit_rate:6.1%}"


def _groups(
    title: str, judged: Sequence[Judged], threshold: float, key: Callable[[Judged], str]
) -> Iterator[str]:
    names = sorted({key(each) for each in judged})
    if names in ([], [""]):
        return
    yield f"\n{title:22} same  served   different  served wrongly  (by distance alone)"
    for name in names:
        some = [each for each in judged if key(each) == name]
        alone, both = score(some, bare(threshold)), score(some, guarded(threshold))
        different = len(some) - both.same
        yield (
            f"{name:22} {both.same:4}  {both.right:6}   {different:9}  {both.wrong:14}"
            f"  ({alone.right} right, {alone.wrong} wrong)"
        )


def _refusals(judged: Sequence[Judged]) -> Iterator[str]:
    yield "\nguard                  refused rightly  refused though the same"
    rightly = Counter(each.refused_by for each in judged if not each.pair.same)
    wrongly = Counter(each.refused_by for each in judged if each.pair.same)
    for name in sorted((rightly | wrongly).keys() - {""}):
        yield f"{name:22} {rightly[name]:15}  {wrongly[name]:23}"
