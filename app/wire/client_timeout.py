"""For how long a client waits for its answer, as OpenAI's SDKs tell: it gives up then."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Final

#: Python's SDK: seconds of silence. Node's: seconds of the whole request.
_HEADERS: Final = ("x-stainless-read-timeout", "x-stainless-timeout")
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def client_timeout_s(headers: Mapping[str, str]) -> float:
    """Seconds from when the request was sent; inf where none, or nothing usable, is said."""
    said = (headers.get(name, "") for name in _HEADERS)
    return min((float(each) for each in said if _SECONDS.fullmatch(each)), default=math.inf)
