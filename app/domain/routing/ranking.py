"""Who of a tier is asked first: by weight, by expected wait, and by whose cache is warm.

Two are drawn by weight and the one that answers sooner goes first (Mitzenmacher: the power of two
choices, 2001): the least loaded of all would draw every replica to the same one. A deployment that
has just served the same prefix goes first while its cache is worth more than the longer wait.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from struct import Struct
from typing import Final

import msgspec

_FIRST_64_BITS: Final = Struct("<Q").unpack_from
#: Of these, as many as a float holds exactly, with a half to spare.
_SPARE_BITS: Final = 12
_UNIT: Final = 2.0**-52
#: Longer keys are hashed once beforehand rather than once for each target.
_LONG_KEY: Final = 64


class Contender(msgspec.Struct, frozen=True, gc=False):
    """A deployment that may be asked: `weight` above 0, `wait_s` until its first token."""

    name: str
    weight: float = 1.0
    wait_s: float = 0.0


class Warm(msgspec.Struct, frozen=True, gc=False):
    """The deployment whose cache may know the prompt, and how many seconds that would save."""

    name: str
    saves_s: float


def choose(
    contenders: Sequence[Contender], draw: Callable[[], float], warm: Warm | None = None
) -> list[Contender]:
    """All of them, in the order to ask in. `draw` gives uniform numbers in [0, 1).

    The first two of a weighted order change places if the second has the shorter wait. The warm
    one comes before them unless it waits longer by more than it saves.
    """
    if len(contenders) == 1:
        return list(contenders)
    order = by_weight(contenders, draw)
    if len(order) > 1 and order[1].wait_s < order[0].wait_s:
        order[0], order[1] = order[1], order[0]
    return order if warm is None else _warm_first(order, warm)


def by_weight(contenders: Sequence[Contender], draw: Callable[[], float]) -> list[Contender]:
    """A weighted random order: the one with weight w is first with probability w over the sum.

    Each gets an exponential waiting time of rate w, and the shortest goes first
    (Efraimidis and Spirakis, 2006).
    """
    return sorted(contenders, key=lambda each: -math.log(1.0 - draw()) / each.weight)


def _warm_first(order: list[Contender], warm: Warm) -> list[Contender]:
    for place, each in enumerate(order):
        if each.name == warm.name:
            if each.wait_s <= order[0].wait_s + warm.saves_s:
                order.insert(0, order.pop(place))
            break
    return order


def preferred(key: bytes, weights: Mapping[str, float]) -> str | None:
    """The target that requests with this key go to; None of none. Weights are above 0.

    Weighted rendezvous hashing (Thaler and Ravishankar, 1998; Schindelhauer and Schomaker, 2005):
    each replica finds the same one, each target gets its weight's share of the keys, and when
    weights change or a target leaves, only keys to or from that one move.
    """
    if len(key) > _LONG_KEY:
        key = blake2b(key).digest()
    # A name holds no zero byte: no two pairs of name and key are one text.
    ending = b"\0" + key
    best, best_score = None, -1.0
    for name, weight in weights.items():
        (drawn,) = _FIRST_64_BITS(blake2b(name.encode() + ending).digest())
        score = -weight / math.log(((drawn >> _SPARE_BITS) + 0.5) * _UNIT)
        if score > best_score:
            best, best_score = name, score
    return best
