"""The lanes' names, as they are in raw results and on the command line."""

from __future__ import annotations

from typing import Final

#: Whole answers on 32 connections, one after the other on each.
CLOSED: Final = "closed32"
#: The same on one connection.
ONE: Final = "one"
#: 400 streams at once.
MANY_STREAMS: Final = "streams400"
#: 50 of them.
FEW_STREAMS: Final = "streams50"
#: Small requests alone, then beside prompts of 100 KB, then beside some of 400 KB.
LARGE: Final = "large"
#: Requests that come by a Poisson process, at three quarters of what was served on 32 connections.
OPEN: Final = "open75"

ALL: Final = (CLOSED, ONE, OPEN, LARGE, FEW_STREAMS, MANY_STREAMS)
