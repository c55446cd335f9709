"""The answer cache: `consulting` asks and keeps, `exact` and `meaning` look, `replay` answers.

`comparing` takes a megabyte of guards along, and is imported where answers are measured.
"""

from __future__ import annotations

from app.stages.caching.consulting import Caching, Lookups, Rules
from app.stages.caching.exact import TheSame
from app.stages.caching.flights import Flights
from app.stages.caching.keeping import Keeping
from app.stages.caching.meaning import ByMeaning, Judge, Judgement, Limits
from app.stages.caching.measuring import Comparator, Means, Measuring
from app.stages.caching.replay import Replay

__all__ = [
    "ByMeaning",
    "Caching",
    "Comparator",
    "Flights",
    "Judge",
    "Judgement",
    "Keeping",
    "Limits",
    "Lookups",
    "Means",
    "Measuring",
    "Replay",
    "Rules",
    "TheSame",
]
