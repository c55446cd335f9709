"""The strategies that are compared, by the names in the tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final

from app.planner.baselines import FixedBreaker, NativeSpillover, RetryAfter
from app.planner.foreseeing import ForeseeingRouter
from app.planner.informed import InformedRouter
from app.planner.oracle import Oracle, OracleAtAnswers
from app.planner.shadow import ShadowRouter
from app.planner.strategy import Build


@dataclass(frozen=True, slots=True)
class Contender:
    """How to make the instance of one replica; an instant one lives without a network's delays."""

    build: Build
    instant: bool = False


CONTENDERS: Final[Mapping[str, Contender]] = MappingProxyType(
    {
        "native spillover": Contender(lambda _: NativeSpillover()),
        "one-minute breaker": Contender(lambda site: FixedBreaker(site, shared=True)),
        "one-minute breaker, per replica": Contender(lambda site: FixedBreaker(site, shared=False)),
        "retry-after, shared": Contender(lambda site: RetryAfter(site, shared=True)),
        "retry-after, per replica": Contender(lambda site: RetryAfter(site, shared=False)),
        "shadow bucket": Contender(lambda site: ShadowRouter(site, fair=False)),
        "shadow bucket, fair shares": Contender(lambda site: ShadowRouter(site, fair=True)),
        "informed": Contender(InformedRouter),
        "oracle at answers": Contender(OracleAtAnswers),
        "oracle": Contender(Oracle, instant=True),
    }
)

#: Seconds of the whole capacity that are kept free, of the sixty of a bucket. The gateway's own
#: margin is at most 4.
_MARGINS: Final = (8, 16, 30)
#: Chances of a refusal that are taken to fill a minute of capacity.
_RISKS: Final = (0.1, 0.2, 0.4, 0.8)

#: What it takes to waste less, with what may be known: asked for by `--cautious`.
CAUTIOUS: Final[Mapping[str, Contender]] = MappingProxyType(
    {
        f"informed, margin to {margin} s": Contender(partial(InformedRouter, most_margin=margin))
        for margin in _MARGINS
    }
    | {
        f"oracle at answers, {margin} s kept free": Contender(
            partial(OracleAtAnswers, margin_s=margin)
        )
        for margin in _MARGINS
    }
    | {
        f"foreseeing, risk {risk:.0%}": Contender(partial(ForeseeingRouter, risk=risk))
        for risk in _RISKS
    }
)
