"""What each deployment charges: the model catalogue's prices and the configuration's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Final, NamedTuple, Protocol, TypeVar

import msgspec

from app.domain.billing.purchase import HourPrice
from app.domain.quota.price import (
    ALWAYS,
    Price,
    PricePeriod,
    PriceTable,
    PtuSize,
    Rates,
    reserved_rates,
)
from app.settings import Deployment, ModelCatalog, ModelFacts, PriceOverride, Settings
from app.settings.model_catalog import model_names
from app.settings.pricing import overrides_of

_EVER: Final = date.min


class _Dated(Protocol):
    @property
    def since(self) -> date | None: ...


_Prices = TypeVar("_Prices", bound=_Dated)
_Otherwise = TypeVar("_Otherwise", Fraction, Fraction | None)


class _Known(NamedTuple):
    """US dollars per million tokens, as far as anybody told."""

    input: Fraction | None = None
    cached_input: Fraction | None = None
    output: Fraction | None = None


def price_table(settings: Settings, catalog: ModelCatalog) -> PriceTable:
    """The prices of every deployment; what nobody told costs the configured maximum."""
    maximum = _maximum(settings, catalog)
    periods = {
        name: tuple(_periods(_Sources.of(settings, catalog, deployment), maximum))
        for name, deployment in settings.deployments.items()
    }
    return PriceTable(periods, Price.of(maximum, known=False))


def ptu_hours(settings: Settings, catalog: ModelCatalog, day: date) -> dict[str, float]:
    """By PTU deployment, US dollars that it costs an hour on a day, used or not."""
    configured = (each for each in settings.deployments.values() if each.kind == "ptu")
    return {
        each.name: float(_Sources.of(settings, catalog, each).hour(day) * (each.ptus or 1))
        for each in configured
    }


def hour_prices(
    settings: Settings, catalog: ModelCatalog, deployment: Deployment
) -> tuple[HourPrice, ...]:
    """What one PTU of a deployment costs an hour, in the order of the changes."""
    sources = _Sources.of(settings, catalog, deployment)
    return tuple(HourPrice(_unix(day), sources.hour(day)) for day in sources.beginnings())


class _Sources(msgspec.Struct, frozen=True):
    """All that may price one deployment; overrides in the order of their beginning."""

    is_ptu: bool
    facts: ModelFacts
    by_model: list[PriceOverride]
    by_deployment: list[PriceOverride]
    usd_per_ptu_hour: Fraction
    factor: Fraction
    """Of the catalogue's prices; see `zone_factor`."""

    @classmethod
    def of(cls, settings: Settings, catalog: ModelCatalog, deployment: Deployment) -> _Sources:
        facts, prices = catalog.facts(deployment.model), settings.prices
        factor = zone_factor(catalog, deployment)
        hour = exact(catalog.ptu_price.usd_per_hour) * factor
        models = {name.lower(): given for name, given in prices.models.items()}
        named = next((name for name in model_names(deployment.model) if name in models), None)
        return cls(
            is_ptu=deployment.kind == "ptu",
            facts=facts,
            by_model=overrides_of(models[named] if named else None),
            by_deployment=overrides_of(prices.deployments.get(deployment.name)),
            usd_per_ptu_hour=_exact_or(prices.usd_per_ptu_hour, hour),
            factor=factor,
        )

    def beginnings(self) -> list[date]:
        """Every day on which some price changes, and the beginning of all."""
        days = [prices.since for prices in self.facts.prices] if self.facts.known else []
        days += [override.since for override in (*self.by_model, *self.by_deployment)]
        return sorted({_EVER, *(day for day in days if day)})

    def known(self, day: date) -> _Known:
        """What tokens cost on a day: by deployment, else by model, else the catalogue's."""
        by_model, own = _begun(self.by_model, day), _begun(self.by_deployment, day)
        tokens = self._reserved(by_model, own) if self.is_ptu else self._paygo(by_model, day)
        return _overridden(tokens, own)

    def _paygo(self, by_model: PriceOverride | None, day: date) -> _Known:
        return _overridden(self._listed(day), by_model)

    def _listed(self, day: date) -> _Known:
        """The catalogue's price, which is never a guess."""
        prices = _begun(self.facts.prices, day) if self.facts.known else None
        if prices is None:
            return _Known()
        values = (prices.input, prices.cached_input, prices.output)
        return _Known(*(exact(value) * self.factor for value in values))

    def hour(self, day: date) -> Fraction:
        """What one PTU costs an hour on a day."""
        return self._hour(_begun(self.by_model, day), _begun(self.by_deployment, day))

    def _hour(self, *overrides: PriceOverride | None) -> Fraction:
        hour = self.usd_per_ptu_hour
        for override in overrides:
            hour = _exact_or(override.usd_per_ptu_hour, hour) if override else hour
        return hour

    def _reserved(self, by_model: PriceOverride | None, own: PriceOverride | None) -> _Known:
        size = ptu_size(self.facts)
        if size is None:
            return _Known()
        return _Known(*reserved_rates(self._hour(by_model, own), size))


def zone_factor(catalog: ModelCatalog, deployment: Deployment) -> Fraction:
    """Of the catalogue's prices: Data Zone costs more than Global, which has no zone."""
    in_zone = deployment.data_zone is not None and deployment.api != "openai"
    return exact(catalog.data_zone_price_factor) if in_zone else Fraction(1)


def ptu_size(facts: ModelFacts) -> PtuSize | None:
    """What a PTU does of a model; None where the catalogue does not know."""
    if not facts.known or facts.input_tpm_per_ptu is None:
        return None
    weights = exact(facts.cached_weight), exact(facts.output_ratio)
    return PtuSize(exact(facts.input_tpm_per_ptu), *weights)


def exact(value: float) -> Fraction:
    """The number that was written, not the nearest that a double can hold: 0.1 is a tenth."""
    return Fraction(repr(value))


def _periods(sources: _Sources, maximum: Rates) -> Iterator[PricePeriod]:
    for day in sources.beginnings():
        yield PricePeriod(_unix(day), _price(sources.known(day), maximum))


def _price(known: _Known, maximum: Rates) -> Price:
    """Unknown unless input and output are; cached input costs as input where nobody told it."""
    read, cached, made = known
    rates = Rates(
        input=maximum.input if read is None else read,
        cached_input=cached if cached is not None else maximum.input if read is None else read,
        output=maximum.output if made is None else made,
    )
    return Price.of(rates, known=read is not None and made is not None)


def _overridden(tokens: _Known, override: PriceOverride | None) -> _Known:
    if override is None:
        return tokens
    read = _exact_or(override.usd_per_million_input, tokens.input)
    cached = _exact_or(override.usd_per_million_cached_input, tokens.cached_input)
    if override.usd_per_million_cached_input is None and cached is not None and read is not None:
        cached = min(cached, read)
    return _Known(read, cached, _exact_or(override.usd_per_million_output, tokens.output))


def _exact_or(given: float | None, otherwise: _Otherwise) -> Fraction | _Otherwise:
    return otherwise if given is None else exact(given)


def _begun(dated: Iterable[_Prices], day: date) -> _Prices | None:
    """Of what is in the order of its beginning, the newest that has begun by `day`."""
    return next((one for one in reversed([*dated]) if (one.since or _EVER) <= day), None)


def _unix(day: date) -> float:
    if day == _EVER:
        return ALWAYS
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _maximum(settings: Settings, catalog: ModelCatalog) -> Rates:
    """As configured, else the highest that the catalogue has for input and for output."""
    given = settings.prices.maximum
    if given is not None:
        read = exact(given.usd_per_million_input)
        return Rates(read, read, exact(given.usd_per_million_output))
    listed = [prices for facts in catalog.models.values() for prices in facts.prices]
    read = max(exact(prices.input) for prices in listed)
    return Rates(read, read, max(exact(prices.output) for prices in listed))
