"""The section about routing: who is kept out, what retries and hedges may cost, who waits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.settings.section import Float, Int, Seconds, Section
from app.settings.tenancy import RequestClass

_Part = Annotated[Float, Field(gt=0, le=1)]


class Health(Section):
    """When a deployment that fails is not asked for a while. Values: Envoy's outlier detection."""

    failures_in_a_row: Annotated[Int, Field(ge=1, le=1_000_000)] = 5
    """From so many on it is kept out."""
    ejection_s: Seconds = 30.0
    """For how long at first; each further time as much longer."""
    longest_ejection_s: Seconds = 300.0
    """It is never kept out for longer."""
    most_ejected: _Part = 0.5
    """The part of a tier that may be kept out at once; one always may."""
    ramp_s: Seconds = 10.0
    """For how long its weight grows after it came back."""


class Retries(Section):
    """Attempts after errors, of all requests of a worker together; a 429 is not an error."""

    percent: Annotated[Int, Field(ge=0, le=100)] = 20
    """Attempts after errors, of requests."""
    at_once: Annotated[Int, Field(ge=0, le=1000)] = 3
    """Beyond the percentage, while anything is served at all."""


class Hedging(Section):
    """A stream that does not begin is asked of a second deployment of the same tier and kind.

    The first content is the answer, the other one is given up, and the prompt that it read is
    charged to the tenant.
    """

    enabled: bool = False
    """Whether anything is asked twice."""
    after: Literal["p50", "p90", "p95", "p99"] = "p95"
    """Of a deployment's own recent times until the first content, for prompts of like size."""
    after_s: Seconds | None = None
    """Instead of that, so long."""
    classes: Annotated[tuple[RequestClass, ...], Field(min_length=1)] = ("critical", "interactive")
    """Of tenants whose requests may be asked twice."""
    percent: Annotated[Int, Field(ge=0, le=50)] = 5
    """Of all requests of a worker, at most."""


_Wait = Annotated[Float, Field(ge=0, le=600)]


class Waits(Section):
    """For how long a request that nobody has room for waits, by its tenant's class; seconds.

    It waits where its tenant may not spill, or everything is full, and only if there will be room
    in time.
    """

    critical: _Wait = 1.0
    interactive: _Wait = 0.5
    standard: _Wait = 0.25
    batch: _Wait = 5.0
    at_once: Annotated[Int, Field(ge=0, le=100_000)] = 64
    """How many requests of a worker may wait; further ones are refused."""


class Routing(Section):
    """How deployments are chosen, beyond the tiers."""

    health: Health = Health()
    retries: Retries = Retries()
    hedging: Hedging = Hedging()
    wait_s: Waits = Waits()
    largest_ptu_fraction: _Part | None = None
    """Of a PTU's bucket, a minute of its capacity: a request that needs more is served elsewhere
    where it can be, while other tenants use the PTU. None: no request is too large."""
