"""How many series the metrics may have."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.settings.section import Int, Section


class Metrics(Section):
    """What `/metrics` tells, and of how many."""

    most_tenants: Annotated[Int, Field(ge=1, le=10_000)] = 100
    """Tenants with series of their own: all where there are places for all, else those that ask
    first; the others are `other`."""
