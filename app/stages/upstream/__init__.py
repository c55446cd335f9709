"""From a plan to the first answer worth passing on: `search` asks, `opening` reads and judges."""

from __future__ import annotations

from app.stages.upstream.hedging import Hedging
from app.stages.upstream.judging import Judging
from app.stages.upstream.retries import Retries
from app.stages.upstream.search import Upstreams

__all__ = ["Hedging", "Judging", "Retries", "Upstreams"]
