"""Limits as the admin API takes and shows them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from app.api.admin.shapes import LAST_MOMENT, Body, Moment
from app.domain.quota.limit import FORMS, LimitName, LimitRule, Measure, Mode, RuleMode, RuleName
from app.settings.section import Float, Name

#: Whole numbers that a script's doubles hold exactly, and nano-dollars among them.
_MOST: Final = 2**53 - 1
_MOST_USD: Final = 9_000_000
MAX_RULES: Final = 500

_Amount = Annotated[Float, Field(ge=0, le=_MOST)]
#: Ids of keys, and of callers with tokens.
_KeyId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]


class RuleBody(Body):
    """One limit of a tenant, or of one of its keys or models, or of both."""

    name: RuleName
    amount: _Amount = Field(description="requests, tokens or US dollars")
    mode: RuleMode = Mode.HARD
    key_id: _KeyId | None = None
    model: Name | None = None
    override: _Amount | None = Field(None, description="the amount until `override_until`")
    override_until: Moment = Field(0.0, description="Unix seconds, or ISO 8601 with a zone")

    @model_validator(mode="after")
    def _fits_its_name(self) -> RuleBody:
        for amount in (self.amount, self.override):
            if amount is not None:
                _check_amount(self.name, amount)
        if self.override is not None and not 0 < self.override_until <= LAST_MOMENT:
            raise PydanticCustomError("override", "override needs override_until")
        if self.override is None and self.override_until:
            raise PydanticCustomError("override", "override_until needs override")
        return self

    def rule(self) -> LimitRule:
        """As it is kept."""
        return LimitRule(**{name: getattr(self, name) for name in type(self).model_fields})


def _check_amount(name: LimitName, amount: float) -> None:
    measure = FORMS[name][1]
    if measure is Measure.NANO_USD and amount > _MOST_USD:
        raise PydanticCustomError("amount", f"{name} can be at most {_MOST_USD} dollars")
    if measure is not Measure.NANO_USD and name is not LimitName.RPS and amount % 1:
        raise PydanticCustomError("amount", f"{name} must be a whole number")


def _distinct(rules: list[RuleBody]) -> list[RuleBody]:
    seen = set()
    for rule in rules:
        scope = (rule.name, rule.key_id, rule.model)
        if scope in seen:
            raise PydanticCustomError("repeated", f"{rule.name} is there twice for the same scope")
        seen.add(scope)
    return rules


RuleBodies = Annotated[list[RuleBody], Field(max_length=MAX_RULES), AfterValidator(_distinct)]


class RuleView(BaseModel):
    """One limit as it is kept; what a RuleBody takes."""

    name: LimitName
    amount: float
    mode: Mode
    key_id: str | None
    model: str | None
    override: float | None
    override_until: float

    @classmethod
    def of(cls, rule: LimitRule) -> RuleView:
        """As it is shown."""
        return cls(**{name: getattr(rule, name) for name in cls.model_fields})


def rules_of(bodies: Iterable[RuleBody]) -> tuple[LimitRule, ...]:
    """As they are kept."""
    return tuple(body.rule() for body in bodies)


def views_of(rules: Iterable[LimitRule]) -> list[RuleView]:
    """As they are shown."""
    return [RuleView.of(rule) for rule in rules]
