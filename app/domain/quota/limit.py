"""What a tenant may use: limits, the scopes they hold in, and which of them meet a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from math import inf
from typing import Final, Literal, get_args

NANO = 1_000_000_000
MINUTE_MS = 60_000
#: The longest window, in seconds, that a fractional rate per second is spread over.
_LONGEST_RATE_S = 60
#: Rules that are remembered in whole units: every request meets its tenant's.
_REMEMBERED = 16_384


class LimitName(StrEnum):
    """Every limit, named as in the config; a closed set."""

    RPS = "rps"
    RPM = "rpm"
    TPM = "tpm"
    CONCURRENCY = "concurrency"
    REQUESTS_PER_DAY = "requests_per_day"
    TOKENS_PER_DAY = "tokens_per_day"
    TOKENS_PER_MONTH = "tokens_per_month"
    USD_PER_HOUR = "usd_per_hour"
    USD_PER_DAY = "usd_per_day"
    USD_PER_MONTH = "usd_per_month"


class Kind(StrEnum):
    """Over which time a limit counts."""

    LIVE = "live"  # what is running now
    WINDOW = "window"  # a sliding window
    HOUR = "hour"  # calendar windows in the tenant's time zone
    DAY = "day"
    MONTH = "month"


class Measure(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    NANO_USD = "nano_usd"


class Mode(StrEnum):
    """What happens over the limit."""

    HARD = "hard"  # refused
    SOFT = "soft"  # admitted, and flagged in the record and to the caller
    SHADOW = "shadow"  # admitted, and only counted as one that would have been refused
    SPILL = "spill"  # admitted, but held to its first tier, and taken nothing of in that scope


FORMS: dict[LimitName, tuple[Kind, Measure]] = {
    LimitName.RPS: (Kind.WINDOW, Measure.REQUESTS),
    LimitName.RPM: (Kind.WINDOW, Measure.REQUESTS),
    LimitName.TPM: (Kind.WINDOW, Measure.TOKENS),
    LimitName.CONCURRENCY: (Kind.LIVE, Measure.REQUESTS),
    LimitName.REQUESTS_PER_DAY: (Kind.DAY, Measure.REQUESTS),
    LimitName.TOKENS_PER_DAY: (Kind.DAY, Measure.TOKENS),
    LimitName.TOKENS_PER_MONTH: (Kind.MONTH, Measure.TOKENS),
    LimitName.USD_PER_HOUR: (Kind.HOUR, Measure.NANO_USD),
    LimitName.USD_PER_DAY: (Kind.DAY, Measure.NANO_USD),
    LimitName.USD_PER_MONTH: (Kind.MONTH, Measure.NANO_USD),
}
#: The modes of limits that somebody sets; a spill policy makes the other.
RuleMode = Literal[Mode.HARD, Mode.SOFT, Mode.SHADOW]
#: The names of such limits. Hours are counted of what is spilled alone: a spill policy's.
RuleName = Literal[
    LimitName.RPS,
    LimitName.RPM,
    LimitName.TPM,
    LimitName.CONCURRENCY,
    LimitName.REQUESTS_PER_DAY,
    LimitName.TOKENS_PER_DAY,
    LimitName.TOKENS_PER_MONTH,
    LimitName.USD_PER_DAY,
    LimitName.USD_PER_MONTH,
]
RULE_NAMES: Final[tuple[RuleName, ...]] = get_args(RuleName)
#: The scope of what was served outside first tiers, of a tenant as a whole.
SPILLED: Final = "spill"
#: The scope of what measures the cache, of a tenant as a whole.
MEASURED: Final = "measuring"
#: Limits on spending: waiting for them is pointless, and OpenAI has a code of its own for them.
BUDGETS = frozenset({Kind.HOUR, Kind.DAY, Kind.MONTH})


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A limit as it is set: `amount` in requests, tokens or US dollars.

    It holds for the whole tenant, or for one key, one model, or one model through one key.
    An override replaces the amount until a moment (Unix seconds).
    """

    name: LimitName
    amount: float
    mode: Mode = Mode.HARD
    key_id: str | None = None
    model: str | None = None
    override: float | None = None
    override_until: float = 0.0

    def amount_at(self, moment: float) -> float:
        """The amount in force."""
        overridden = self.override is not None and moment < self.override_until
        return self.override if overridden and self.override is not None else self.amount


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit that a request meets: `amount` in whole units of its measure."""

    name: LimitName
    scope: str
    kind: Kind
    measure: Measure
    amount: int
    mode: Mode = Mode.HARD
    window_ms: int = 0


def scope_of(key_id: str | None = None, model: str | None = None) -> str:
    """The name of a scope within its tenant's account."""
    if key_id is None:
        return "tenant" if model is None else f"model:{model}"
    return f"key:{key_id}" if model is None else f"key:{key_id}/model:{model}"


def scopes_of(key_id: str, model: str) -> tuple[str, ...]:
    """Every scope that a request counts in, limited or not: a limit set later knows the past."""
    return (
        scope_of(),
        scope_of(key_id),
        scope_of(model=model),
        scope_of(key_id, model),
    )


def limits_on(
    rules: Iterable[LimitRule], key_id: str, model: str, moment: float
) -> tuple[Limit, ...]:
    """The limits that a request by this key for this model meets at `moment` (Unix seconds)."""
    return tuple(
        limit_of(rule, moment)
        for rule in rules
        if rule.key_id in {None, key_id} and rule.model in {None, model}
    )


def unchanged_until(rules: Iterable[LimitRule], moment: float) -> float:
    """When the first of these rules will have another amount than at `moment` (Unix seconds)."""
    ends = (rule.override_until for rule in rules if rule.override is not None)
    return min((end for end in ends if end > moment), default=inf)


def limits_on_key(rules: Iterable[LimitRule], key_id: str, moment: float) -> tuple[Limit, ...]:
    """The limits that any request by this key may meet, of every model."""
    return tuple(limit_of(rule, moment) for rule in rules if rule.key_id in {None, key_id})


def spill_limits(usd_per_day: float | None, usd_per_hour: float | None = None) -> tuple[Limit, ...]:
    """What spill budgets in US dollars come to; none where there is none."""
    budgets = {LimitName.USD_PER_HOUR: usd_per_hour, LimitName.USD_PER_DAY: usd_per_day}
    return tuple(_spill_limit(name, usd) for name, usd in budgets.items() if usd is not None)


def measuring_limits(usd_per_day: float | None) -> tuple[Limit, ...]:
    """What measuring the cache may cost, in US dollars; none where that is not bounded."""
    return () if usd_per_day is None else (_measuring_limit(usd_per_day),)


def limit_of(rule: LimitRule, moment: float) -> Limit:
    """The rule in whole units: a rate of 0.5 a second becomes one in two seconds."""
    return _whole(rule, rule.amount_at(moment))


@lru_cache(_REMEMBERED)
def _whole(rule: LimitRule, in_force: float) -> Limit:
    kind, measure = FORMS[rule.name]
    amount, window_ms = Fraction(in_force), 0
    if rule.name is LimitName.RPS:
        amount = amount.limit_denominator(_LONGEST_RATE_S)
        window_ms = amount.denominator * 1000
        amount *= amount.denominator
    elif kind is Kind.WINDOW:
        window_ms = MINUTE_MS
    if measure is Measure.NANO_USD:
        amount = Fraction(str(in_force)) * NANO
    scope = scope_of(rule.key_id, rule.model)
    return Limit(rule.name, scope, kind, measure, int(amount), rule.mode, window_ms)


@lru_cache(_REMEMBERED)
def _spill_limit(name: LimitName, usd: float) -> Limit:
    whole = _whole(LimitRule(name, usd), usd)
    return replace(whole, scope=SPILLED, mode=Mode.SPILL)


@lru_cache(_REMEMBERED)
def _measuring_limit(usd_per_day: float) -> Limit:
    whole = _whole(LimitRule(LimitName.USD_PER_DAY, usd_per_day), usd_per_day)
    return replace(whole, scope=MEASURED)
