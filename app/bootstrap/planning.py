"""`spillgate plan`: recorded traffic, a model's facts and prices, and the question made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import get_args

import msgspec

from app.adapters.archive.errors import ArchiveDamaged
from app.adapters.archive.reader import ArchiveReader
from app.cli.plan import Asked, CannotPlan, Kind
from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.costs import HOURS_OF_A_MONTH, PayGo, Term
from app.planner.sizing.plan import PtuPlan, Question, Sizes, Tell, plan_all
from app.planner.sizing.traffic import Recorded, of_csv, of_ledger
from app.settings import ModelFacts, load_catalog
from app.settings.model_catalog import ModelCatalog

_MINUTE_S = 60.0


def planned(asked: Asked, tell: Tell) -> PtuPlan:
    """The plan. Raises CannotPlan, UnreadableTraffic, OSError."""
    catalog = load_catalog()
    question = question_of(asked, catalog)
    recorded = asked.what_if.of(_bounded(asked), asked.seed)
    if not recorded:
        raise CannotPlan(f"no traffic of {asked.model!r} is there in that time")
    return plan_all(question, _variants(asked, catalog), recorded, tell)


def _variants(asked: Asked, catalog: ModelCatalog) -> dict[str, Question]:
    """Every kind that the model is sold as, where they are asked for."""
    found: dict[str, Question] = {}
    for kind in get_args(Kind) if asked.variants else ():
        with suppress(CannotPlan):
            found[kind] = question_of(replace(asked, kind=kind), catalog)
    return found


def question_of(asked: Asked, catalog: ModelCatalog) -> Question:
    """The question, by the model catalogue and what was given instead. Raises CannotPlan."""
    facts = catalog.facts(asked.base_model)
    if not facts.known:
        raise CannotPlan(f"{asked.base_model!r} is not in the model catalogue; name one with --as")
    sold = facts.ptu_regional if asked.kind == "regional" else facts.ptu_global
    if facts.input_tpm_per_ptu is None or sold is None:
        raise CannotPlan(f"{facts.model} is not sold as PTU, as far as the model catalogue knows")
    factor = catalog.data_zone_price_factor if asked.kind == "datazone" else 1.0
    return Question(
        PtuCapacity(facts.input_tpm_per_ptu / _MINUTE_S, facts.output_ratio, facts.cached_weight),
        Sizes(sold.minimum, sold.increment, asked.most),
        _paygo(facts, factor),
        tuple(_terms(asked, catalog, factor)),
        asked.seed,
        asked.also,
    )


def _paygo(facts: ModelFacts, factor: float) -> PayGo:
    """What holds today."""
    today = datetime.now(UTC).date()
    begun = [each for each in facts.prices if each.since is None or each.since <= today]
    price = (begun or facts.prices)[-1]
    return PayGo(price.input * factor, price.cached_input * factor, price.output * factor)


def _terms(asked: Asked, catalog: ModelCatalog, factor: float) -> Iterator[Term]:
    listed = catalog.ptu_price
    hourly, month, year = asked.usd_per_ptu
    yield Term("hourly", listed.usd_per_hour * factor if hourly is None else hourly)
    monthly = listed.usd_per_month * factor if month is None else month
    yield Term("monthly", monthly / HOURS_OF_A_MONTH)
    yearly = listed.usd_per_year * factor if year is None else year
    yield Term("yearly", yearly / (12 * HOURS_OF_A_MONTH))


class _Within(msgspec.Struct, frozen=True):
    """A period; None is open."""

    since: float | None
    until: float | None

    def of(self, recorded: Iterable[Recorded]) -> Iterator[Recorded]:
        for each in recorded:
            early = self.since is not None and each.at < self.since
            if not early and (self.until is None or each.at < self.until):
                yield each


def _bounded(asked: Asked) -> list[Recorded]:
    """All of it. Raises CannotPlan where that is, or would grow to, more than is allowed."""
    most, growth = asked.at_most, max(1.0, asked.what_if.growth)
    found = list(islice(_recorded(asked), None if most is None else most + 1))
    if most is not None and len(found) * growth > most:
        grown = f", {growth:g} times as many as there were" if growth > 1 else ""
        raise CannotPlan(f"there are more than {most:,} requests{grown}; choose a shorter time")
    return found


def _recorded(asked: Asked) -> Iterator[Recorded]:
    within = _Within(asked.since, asked.until)
    if asked.csv is not None:
        with asked.csv.open(encoding="utf-8", newline="") as lines:
            yield from within.of(of_csv(lines))
        return
    yield from within.of(_archived(asked.archive or Path(), asked.model))


def _archived(directory: Path, model: str) -> Iterator[Recorded]:
    try:
        yield from of_ledger(ArchiveReader(directory).rows(), model)
    except ArchiveDamaged as error:
        raise CannotPlan(f"the ledger's archive cannot be trusted: {error}") from error
    except FileNotFoundError as error:
        raise CannotPlan(f"there is no ledger's archive in {directory}") from error
