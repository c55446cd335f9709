"""Families that are not ours: what Prometheus says of each scrape."""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.family import Merge, gauge

UP: Final = gauge("up", "Whether Prometheus could scrape it.", merge=Merge.MIN)
