"""Everybody who can take part, in the order of the report."""

from __future__ import annotations

from typing import Final

from loadtest.bench.contender import Contender
from loadtest.bench.contenders.direct import DIRECT
from loadtest.bench.contenders.envoy import ENVOY
from loadtest.bench.contenders.litellm import LITELLM
from loadtest.bench.contenders.nginx import NGINX
from loadtest.bench.contenders.portkey import PORTKEY
from loadtest.bench.contenders.spillgate import (
    SPILLGATE,
    SPILLGATE_BESIDE_REDIS,
    SPILLGATE_REDIS_FIRST,
    SPILLGATE_TWO_WORKERS,
    SPILLGATE_WITHOUT_LEASES,
)

CONTENDERS: Final[tuple[Contender, ...]] = (
    DIRECT,
    NGINX,
    ENVOY,
    SPILLGATE,
    SPILLGATE_WITHOUT_LEASES,
    SPILLGATE_REDIS_FIRST,
    SPILLGATE_BESIDE_REDIS,
    SPILLGATE_TWO_WORKERS,
    PORTKEY,
    LITELLM,
)
