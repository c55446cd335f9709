"""What is known of each base model: how a PTU weighs it, what it costs, how much fits."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

_FILE: Final = Path(__file__).parent.parent / "data" / "models.toml"
_DATED: Final = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class PtuSteps:
    """How PTUs are sold: at least `minimum`, then in steps of `increment`."""

    minimum: int
    increment: int


@dataclass(frozen=True, slots=True)
class TokenPrices:
    """Pay-as-you-go prices of one model, Global, in US dollars per million tokens."""

    since: date | None
    """The first day, UTC, on which they hold, until the next begin; None: since ever."""
    input: float
    cached_input: float
    output: float


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of one base model; with `known` false they are the catalogue's defaults.

    The prices `usd_per_million_*` hold from `prices_from` on, those of other times are in
    `price_periods`; `prices` has them all. `output_ratio` and `cached_weight` are how many
    uncached input tokens one output token and one cached token weigh on a PTU. Windows and
    outputs are in tokens.
    """

    model: str
    known: bool
    usd_per_million_input: float
    usd_per_million_cached_input: float
    usd_per_million_output: float
    context_window: int
    input_tpm_per_ptu: int | None = None
    """Input tokens per minute that one PTU serves; None: not sold as PTU."""
    output_ratio: float = 1.0
    cached_weight: float = 0.0
    ptu_global: PtuSteps | None = None
    ptu_regional: PtuSteps | None = None
    latency_target_tps: float | None = None
    """Output tokens per second that 99 % of requests on a PTU exceed."""
    max_output_tokens: int | None = None
    ptu_context_window: int | None = None
    """The context window on a PTU where it is shorter than elsewhere."""
    kind: Literal["chat", "embedding"] = "chat"
    reasons: bool = False
    """Whether it may think for minutes before its first visible token."""
    prices_from: date | None = None
    price_periods: tuple[TokenPrices, ...] = ()
    unverified: frozenset[str] = field(default=frozenset())
    """Fields without a source from Microsoft; `prices` stands for all prices."""

    @property
    def prices(self) -> tuple[TokenPrices, ...]:
        """All prices in the order of their beginning; one that always held is first."""
        stated = TokenPrices(
            self.prices_from,
            self.usd_per_million_input,
            self.usd_per_million_cached_input,
            self.usd_per_million_output,
        )
        return tuple(sorted((stated, *self.price_periods), key=_beginning))


@dataclass(frozen=True, slots=True)
class PtuPrice:
    """What one Global PTU costs in US dollars: by the hour, reserved by month or year."""

    usd_per_hour: float
    usd_per_month: float
    usd_per_year: float
    unverified: bool


@dataclass(frozen=True, slots=True)
class ModelCatalog:
    """All models by name, and what holds for those it does not list."""

    models: Mapping[str, ModelFacts]
    defaults: ModelFacts
    ptu_price: PtuPrice
    data_zone_price_factor: float

    def facts(self, model: str) -> ModelFacts:
        """Facts of `model`, whose case and `-YYYY-MM-DD` version do not matter."""
        names = model_names(model)
        found = next((self.models[name] for name in names if name in self.models), None)
        return found or replace(self.defaults, model=model)


def model_names(model: str) -> tuple[str, str]:
    """Under which names to look for a base model: with its version, then without."""
    name = model.lower()
    return name, _DATED.sub("", name)


@lru_cache(1)
def load_catalog() -> ModelCatalog:
    """The catalogue that ships with the package; read once, for nobody can change it."""
    with _FILE.open("rb") as stream:
        return catalog_of(tomllib.load(stream))


def catalog_of(raw: Mapping[str, Any]) -> ModelCatalog:
    """The catalogue as read from its file."""
    models = {name: _facts(name, entry, known=True) for name, entry in raw["models"].items()}
    return ModelCatalog(
        models=MappingProxyType(models),
        defaults=_facts("", raw["defaults"], known=False),
        ptu_price=PtuPrice(**raw["ptu_price"]),
        data_zone_price_factor=raw["data_zone_price_factor"],
    )


def _facts(name: str, entry: Mapping[str, Any], *, known: bool) -> ModelFacts:
    read: dict[str, Any] = {key: value for key, value in entry.items() if key != "sizing_source"}
    for key in ("ptu_global", "ptu_regional"):
        if key in read:
            read[key] = PtuSteps(*read[key])
    read["price_periods"] = tuple(_prices(period) for period in read.get("price_periods", ()))
    read["unverified"] = frozenset(read.get("unverified", ()))
    return ModelFacts(model=name, known=known, **read)


def _prices(period: Mapping[str, Any]) -> TokenPrices:
    values = (period[f"usd_per_million_{kind}"] for kind in ("input", "cached_input", "output"))
    return TokenPrices(period.get("from"), *values)


def _beginning(prices: TokenPrices) -> date:
    return prices.since or date.min
