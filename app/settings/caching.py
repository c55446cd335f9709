"""The sections about answers that are kept: in general, of a model, of a tenant."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.settings.section import Float, Int, Name, Section

MOST_TTL_S = 30 * 86_400
#: Of a prompt: embedders read no more of it.
MOST_CHARS = 4000
_Ttl = Annotated[Float, Field(gt=0, le=MOST_TTL_S)]
_Part = Annotated[Float, Field(ge=0, le=1)]


class ExactCache(Section):
    """Answers to the very same request; `ttl` in seconds. What is unsaid here may be elsewhere."""

    enabled: bool | None = None
    """Whether it answers."""
    ttl: _Ttl | None = None
    """For how long an answer is kept, in seconds."""


class SemanticCache(Section):
    """Answers to requests that mean the same; `ttl` in seconds."""

    enabled: bool | None = None
    """Whether it answers."""
    ttl: _Ttl | None = None
    """For how long an answer is kept, in seconds."""
    threshold: Annotated[Float, Field(gt=0, le=1)] | None = None
    """The largest cosine distance of two prompts; None is the embedder's own."""
    shadow: bool | None = None
    """Everything happens but the answer comes from upstream."""
    min_prompt_chars: Annotated[Int, Field(ge=1, le=MOST_CHARS)] | None = None
    """Shorter prompts are not answered by meaning."""
    max_prompt_chars: Annotated[Int, Field(ge=1, le=MOST_CHARS)] | None = None
    """Longer prompts are not answered by meaning."""
    max_temperature: Annotated[Float, Field(ge=0, le=2)] | None = None
    """Requests with a higher one are not answered by meaning; one that names none has 1."""
    false_hit_bound: Annotated[Float, Field(gt=0, lt=1)] | None = None
    """The part of wrong hits at which the threshold tightens by itself."""
    sample_rate: _Part | None = None
    """Of hits, the part that is answered upstream, too, and compared."""
    sample_usd_per_day: Annotated[Float, Field(ge=0)] | None = None
    """What those answers may cost a tenant."""


class CacheRules(Section):
    """Which caches answer. What a model or a tenant says stands before what `cache:` says.

    Where both speak, the stricter holds.
    """

    exact: ExactCache = ExactCache()
    """Answers to the very same request."""
    semantic: SemanticCache = SemanticCache()
    """Answers to requests that mean the same."""
    coalesce: bool | None = None
    """Whether of identical requests at the same time one asks upstream and the others wait."""


class Embedding(Section):
    """What turns prompts into vectors: a model of `models:`; None is the one that is built in."""

    model: Name | None = None
    """Its name in `models:`."""
    dimensions: Annotated[Int, Field(ge=8, le=4096)] | None = None
    """Numbers in a vector; None is what is known of the base model."""


class Comparing(Section):
    """Who tells whether two answers say the same: a model of `models:`; None is their text."""

    model: Name | None = None
    """Its name in `models:`."""


class Cache(CacheRules):
    """The caches in general, and what is the same for all tenants."""

    embedder: Embedding = Embedding()
    comparator: Comparing = Comparing()
    max_entry_bytes: Annotated[Int, Field(ge=1024, le=64 * 1024 * 1024)] = 1024 * 1024
    """Longer answers are not kept."""
    max_entries: Annotated[Int, Field(ge=1, le=10_000_000)] = 100_000
    """Of one tenant; those that end first make room."""
    replay_tokens_per_s: Annotated[Float, Field(ge=0, le=1_000_000)] = 2000.0
    """How fast a stream is answered from the cache; 0 is at once."""
    lookup_ms: Annotated[Int, Field(ge=5, le=5000)] = 50
    """For how long a look for the same request is waited for."""
    semantic_lookup_ms: Annotated[Int, Field(ge=5, le=5000)] = 200
    """The same for a look by meaning, embedding included."""
    coalesce_s: Annotated[Float, Field(gt=0, le=600)] = 10.0
    """For how long a request waits for the answers to identical ones, in all."""
