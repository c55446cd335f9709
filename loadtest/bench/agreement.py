"""Whether the work was done: what four others counted is what the load generator counted.

The gateway's own metrics, its accounts and its ledger's stream in Redis, the ledger's archive on
disk; and the upstream. Each request's tokens are known, so tokens must agree, too.
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from redis import Redis

from app.adapters.archive.reader import ArchiveReader
from app.domain.ledger.ledger_row import CHARGED
from loadtest.bench.payloads import TOKENS

TENANT: Final = "bench"
#: Settlements follow answers, and the archive is copied to now and then.
_WITHIN_S: Final = 45.0
_LOOK_S: Final = 0.25


class Counted(msgspec.Struct, frozen=True):
    """What each says; `held` is what reservations and leases still hold back."""

    metrics: int
    account_requests: int
    account_tokens: int
    ledger: int
    archive: int
    archive_tokens: int
    held: int

    def differs_from(self, asked: int) -> list[str]:
        """What does not agree; empty where all does. Nothing proves nothing."""
        if not asked:
            return ["nothing was answered"]
        tokens = asked * TOKENS
        expected = Counted(asked, asked, tokens, asked, asked, tokens, 0)
        found, wanted = msgspec.structs.asdict(self), msgspec.structs.asdict(expected)
        return [
            f"{name} {found[name]:,}, expected {wanted[name]:,}"
            for name in wanted
            if found[name] != wanted[name]
        ]


@dataclass(frozen=True, slots=True)
class Books:
    """Where the gateway's counts are."""

    redis: str
    admin_port: int
    archive: Path

    def counted(self, asked: int) -> Counted:
        """All of them, now; the archive, which takes a while to read, once Redis has them all."""
        with Redis.from_url(self.redis) as redis:
            key = f"spillgate:{{{TENANT}}}"
            # Of one account, made anew for each round, there is one day or, around midnight, two.
            days = [redis.hgetall(name) for name in redis.scan_iter(f"{key}:day:*", count=1000)]
            ledger = _entries(redis, f"{key}:ledger")
        rows, tokens = self._archived() if ledger >= asked else (0, 0)
        return Counted(
            metrics=_served(self._page()),
            account_requests=_sum(days, b"committed:requests:tenant"),
            account_tokens=_sum(days, b"committed:tokens:tenant"),
            ledger=ledger,
            archive=rows,
            archive_tokens=tokens,
            held=_sum(days, b"held:requests:tenant") + _sum(days, b"held:tokens:tenant"),
        )

    def _archived(self) -> tuple[int, int]:
        """Rows that were charged, and their tokens."""
        rows = (row for row in ArchiveReader(self.archive).rows(TENANT) if row.kind in CHARGED)
        tokens = [row.input + row.output for row in rows]
        return len(tokens), sum(tokens)

    def _page(self) -> str:
        url = f"http://127.0.0.1:{self.admin_port}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            page: bytes = answer.read()
        return page.decode()


def agreed(books: Books, asked: int) -> dict[str, Any]:
    """What was counted once it agrees, or when it should have; `differs` says what does not."""
    until = time.monotonic() + (_WITHIN_S if asked else 0.0)
    while (differs := (counted := books.counted(asked)).differs_from(asked)) and (
        time.monotonic() < until
    ):
        time.sleep(_LOOK_S)
    return {"asked": asked, **msgspec.structs.asdict(counted), "differs": differs}


def _served(page: str) -> int:
    """The requests that were answered with 200, of a page of metrics."""
    lines = (line for line in page.splitlines() if line.startswith("llm_requests_total{"))
    return round(sum(float(line.rpartition(" ")[2]) for line in lines if 'status="200"' in line))


def _entries(redis: Any, key: str) -> int:
    """All that were ever added, those that were trimmed since among them."""
    return int(redis.xinfo_stream(key)["entries-added"]) if redis.exists(key) else 0


def _sum(totals: Iterable[Mapping[bytes, bytes]], name: bytes) -> int:
    return sum(int(each.get(name, 0)) for each in totals)
