"""For how long, and of how many requests, it is kept why they went where they went."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.settings.section import Float, Int, Section


class Explain(Section):
    """Explanations are kept in Redis; each takes about a kilobyte there."""

    keep_s: Annotated[Int, Field(ge=0, le=86_400)] = 900
    """0: none are kept."""
    sample: Annotated[Float, Field(ge=0, le=1)] = 1.0
    """The part of requests that are explained, chosen by their ids: the same on all replicas."""
    max_records: Annotated[Int, Field(ge=1, le=10_000_000)] = 100_000
    """That one worker has there at a time; what comes above is not kept, and counted."""
