"""Which caches may answer a request: rules as they are given, and the policy they come to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from app.settings import CacheRules
from app.settings.caching import ExactCache, SemanticCache


@dataclass(frozen=True, slots=True)
class ExactRule:
    """What is said of answers to the same request; None is unsaid."""

    enabled: bool | None = None
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class SemanticRule:
    """What is said of answers to requests that mean the same; None is unsaid."""

    enabled: bool | None = None
    ttl_s: float | None = None
    threshold: float | None = None
    shadow: bool | None = None
    min_prompt_chars: int | None = None
    max_prompt_chars: int | None = None
    max_temperature: float | None = None
    false_hit_bound: float | None = None
    sample_rate: float | None = None
    sample_usd_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class CacheRule:
    """What one place (configuration, model, tenant) says of the caches; None is unsaid."""

    exact: ExactRule = ExactRule()
    semantic: SemanticRule = SemanticRule()
    coalesce: bool | None = None


@dataclass(frozen=True, slots=True)
class ExactPolicy:
    """The same request has the same answer, for `ttl_s` seconds."""

    enabled: bool = False
    ttl_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class SemanticPolicy:
    """A request that means the same has the same answer, for `ttl_s` seconds.

    `threshold` is the largest cosine distance, None is the embedder's own. `shadow`: everything
    happens but the answer comes from upstream. `sample_rate` of the hits are answered upstream,
    too, and compared, at most for this much money a day; the threshold tightens by itself when
    the part of wrong hits may be above `false_hit_bound`.
    """

    enabled: bool = False
    ttl_s: float = 3600.0
    threshold: float | None = None
    shadow: bool = False
    min_prompt_chars: int = 12
    max_prompt_chars: int = 2000
    max_temperature: float = 1.0
    false_hit_bound: float = 0.02
    sample_rate: float = 0.05
    sample_usd_per_day: float = 1.0


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Both caches; `coalesce`: of identical requests at the same time, one asks upstream."""

    exact: ExactPolicy = ExactPolicy()
    semantic: SemanticPolicy = SemanticPolicy()
    coalesce: bool = True
    is_on: bool = field(init=False, compare=False, repr=False)
    """Whether any cache may answer."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_on", self.exact.enabled or self.semantic.enabled)


_Rule = CacheRule | ExactRule | SemanticRule

#: Nothing is said.
UNSAID: Final = CacheRule()
#: Nothing is kept, nothing is looked up.
OFF: Final = CachePolicy()

#: Of a model; tenants that say nothing share one.
_MOST_MADE: Final = 10_000
#: What the configuration calls a field.
_SECTION_NAMES: Final[Mapping[str, str]] = {"ttl_s": "ttl"}
#: Which of two values is the stricter one; of the others it is the smaller.
_LARGER: Final[Mapping[str, Callable[..., Any]]] = {"shadow": max, "min_prompt_chars": max}


def policy_of(general: CacheRule, model: CacheRule, tenant: CacheRule) -> CachePolicy:
    """The policy of a tenant's requests for a model.

    What model or tenant say stands before what is said in general; where both speak, the stricter
    holds, so that each can refuse for its part.
    """
    return CachePolicy(
        exact=ExactPolicy(**_resolved(general.exact, model.exact, tenant.exact)),
        semantic=SemanticPolicy(**_resolved(general.semantic, model.semantic, tenant.semantic)),
        coalesce=_resolved(general, model, tenant).get("coalesce", True),
    )


class Policies:
    """One configuration's, each made once and given again for as long as rules are the same."""

    def __init__(self, general: CacheRule, models: Mapping[str, CacheRule]) -> None:
        """`models`: what is said of each, by the names that requests have for them."""
        self._general = general
        self._models = models
        self._made: dict[str, dict[int, tuple[CacheRule, CachePolicy]]] = {
            name: {} for name in models
        }

    def of(self, model: str, tenant: CacheRule) -> CachePolicy:
        """What holds where a tenant says this. Raises KeyError for an unknown model."""
        made = self._made[model]
        known = made.get(id(tenant))
        if known is None or known[0] is not tenant:
            if len(made) >= _MOST_MADE:
                made.clear()
            policy = policy_of(self._general, self._models[model], tenant)
            known = made[id(tenant)] = (tenant, policy)
        return known[1]


def rule_of(section: CacheRules) -> CacheRule:
    """What a section of the configuration says."""
    exact, semantic = section.exact.model_dump(), section.semantic.model_dump()
    return CacheRule(
        exact=ExactRule(ttl_s=exact.pop("ttl"), **exact),
        semantic=SemanticRule(ttl_s=semantic.pop("ttl"), **semantic),
        coalesce=section.coalesce,
    )


def section_of(rule: CacheRule) -> CacheRules:
    """The section that says the same."""
    exact, semantic = asdict(rule.exact), asdict(rule.semantic)
    return CacheRules(
        exact=ExactCache(ttl=exact.pop("ttl_s"), **exact),
        semantic=SemanticCache(ttl=semantic.pop("ttl_s"), **semantic),
        coalesce=rule.coalesce,
    )


def said_by(rule: CacheRule) -> dict[str, float]:
    """What a rule says, by the paths that the configuration has for it."""
    parts: dict[str, _Rule] = {"exact.": rule.exact, "semantic.": rule.semantic, "": rule}
    return {
        f"{part}{_SECTION_NAMES.get(name, name)}": value
        for part, of_part in parts.items()
        for name, value in _said(of_part).items()
    }


def _resolved(general: _Rule, model: _Rule, tenant: _Rule) -> dict[str, Any]:
    one, other = _said(model), _said(tenant)
    common = {
        name: _LARGER.get(name, min)(one[name], other[name]) for name in one.keys() & other.keys()
    }
    return {**_said(general), **one, **other, **common}


def _said(rule: _Rule) -> dict[str, Any]:
    given = {field.name: getattr(rule, field.name) for field in fields(rule)}
    return {name: value for name, value in given.items() if isinstance(value, int | float)}
