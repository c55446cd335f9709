"""How months are billed: the configuration's PTUs, their prices, and whom they serve."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import inf
from urllib.parse import urlsplit

from app.bootstrap.prices import exact, hour_prices, ptu_size, zone_factor
from app.domain.billing.currency import Currency
from app.domain.billing.place import Place
from app.domain.billing.purchase import Purchase, Term
from app.domain.billing.rules import BillingRules
from app.domain.billing.statement import IdleRule
from app.settings import Deployment, ModelCatalog, Settings
from app.settings.billing import PtuPurchase


def billing_rules(settings: Settings, catalog: ModelCatalog) -> BillingRules:
    """As the configuration says; what it does not say is the model catalogue's."""
    billing = settings.billing
    ptus = [each for each in settings.deployments.values() if each.kind == "ptu"]
    return BillingRules(
        tuple(_purchase(settings, catalog, each) for each in ptus),
        {each.name: frozenset(_served(settings, each.name)) for each in ptus},
        frozenset(_spilling(settings)),
        billing.time_zone,
        Currency(billing.currency, exact(billing.per_usd or 1.0)),
        IdleRule(billing.idle),
        tuple(_place(each) for each in settings.deployments.values()),
    )


def _purchase(settings: Settings, catalog: ModelCatalog, deployment: Deployment) -> Purchase:
    given = settings.billing.ptus.get(deployment.name, PtuPurchase())
    term, ptus = Term(given.term), deployment.ptus or 1
    return Purchase(
        deployment.name,
        ptus,
        hour_prices(settings, catalog, deployment),
        term,
        0 if term is Term.HOURLY else given.reserved or ptus,
        _reserved_usd(given, catalog, deployment),
        ptu_size(catalog.facts(deployment.model)),
        -inf if given.since is None else _unix(given.since),
        inf if given.until is None else _unix(given.until + timedelta(days=1)),
    )


def _reserved_usd(given: PtuPurchase, catalog: ModelCatalog, deployment: Deployment) -> Fraction:
    """Of one PTU for the term."""
    if given.usd_per_ptu is not None:
        return exact(given.usd_per_ptu)
    listed = catalog.ptu_price
    terms = {"monthly": listed.usd_per_month, "yearly": listed.usd_per_year}
    return exact(terms.get(given.term, 0.0)) * zone_factor(catalog, deployment)


def _served(settings: Settings, deployment: str) -> Iterator[str]:
    """Models under whose names it is asked."""
    for model in settings.models:
        if any(target.name == deployment for tier in settings.tiers_of(model) for target in tier):
            yield model


def _spilling(settings: Settings) -> Iterator[str]:
    """Models that have PTUs before their last tier."""
    for model in settings.models:
        first = [target.name for tier in settings.tiers_of(model)[:-1] for target in tier]
        if any(settings.deployments[name].kind == "ptu" for name in first):
            yield model


def _place(deployment: Deployment) -> Place:
    """Its resource is the first label of its host, as Azure makes host names."""
    host = urlsplit(deployment.endpoint).hostname or ""
    is_ptu = deployment.kind == "ptu"
    return Place(deployment.name, deployment.deployment.lower(), host.split(".")[0], is_ptu)


def _unix(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
