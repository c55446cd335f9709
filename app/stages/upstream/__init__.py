"""From a plan to the first answer worth passing on.

`search` asks one candidate after the other, `pair` two for one answer where a stream does not
begin, `opening` reads what comes up to where it can be judged.
"""

from __future__ import annotations

from app.stages.upstream.hedging import Hedging
from app.stages.upstream.judging import Judging
from app.stages.upstream.retries import Retries
from app.stages.upstream.search import Upstreams

__all__ = ["Hedging", "Judging", "Retries", "Upstreams"]
