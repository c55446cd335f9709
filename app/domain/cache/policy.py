"""Which caches may answer a request; resolved from the configuration, the model and the tenant."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExactPolicy:
    """The same request has the same answer, for `ttl_s` seconds."""

    enabled: bool = False
    ttl_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class SamplePolicy:
    """How many hits are answered upstream, too, and compared; at most this much money a day."""

    rate: float = 0.05
    usd_per_day: float = 1.0


@dataclass(frozen=True, slots=True)
class SemanticPolicy:
    """A request that means the same has the same answer, for `ttl_s` seconds.

    `threshold` is the largest cosine distance, None is the embedder's own. `shadow`: everything
    happens but the answer comes from upstream. `false_hit_bound` is the part of wrong hits at
    which the threshold tightens by itself.
    """

    enabled: bool = False
    ttl_s: float = 3600.0
    threshold: float | None = None
    shadow: bool = False
    min_prompt_chars: int = 12
    max_prompt_chars: int = 2000
    max_temperature: float = 1.0
    false_hit_bound: float = 0.02
    sample: SamplePolicy = SamplePolicy()


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Both caches; `coalesce`: of identical requests at the same time, one asks upstream."""

    exact: ExactPolicy = ExactPolicy()
    semantic: SemanticPolicy = SemanticPolicy()
    coalesce: bool = True

    @property
    def is_on(self) -> bool:
        """Whether any cache may answer."""
        return self.exact.enabled or self.semantic.enabled


#: Nothing is kept, nothing is looked up.
OFF = CachePolicy()
