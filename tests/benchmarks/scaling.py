"""Two figures of docs/scale.md: what hearing another worker costs, and how long a ledger row is.

`python -m tests.benchmarks.scaling`. Processor time to decode a message about one PTU with five
tenants and take it in, the least of five rounds, by how many workers tell each other; and the bytes
of the row of an answered chat request.
"""

from __future__ import annotations

import sys
import time
from typing import Final

from app.adapters.redis.capacity import _ENCODER, Message, _read
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.shares import Claim
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode

_ROUNDS: Final = 5
_MESSAGES: Final = 400
_TENANTS: Final = tuple(f"tenant-{number}" for number in range(5))


def _message(workers: int) -> bytes:
    news = DeploymentNews(
        total=1.0,
        fresh=0.5,
        calls=5,
        taken=dict.fromkeys(_TENANTS, 0.1),
        asked=[Claim(tenant) for tenant in _TENANTS],
        heard={f"replica-{number:08x}": 1.5 for number in range(workers - 1)},
        returned=0.3,
        age_s=100.0,
    )
    return _ENCODER.encode(Message("replica-ffffffff", {"ptu-east": news}))


def hearing_us(workers: int) -> float:
    """Microseconds for one message."""
    ptu = Provisioned(PtuCapacity(40_000.0, 4.0), "replica-0", 0.0)
    data, least = _message(workers), float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for number in range(_MESSAGES):
            for news in _read(data).news.values():
                ptu.hear(f"replica-{number % workers}", news, number / 1000)
        least = min(least, time.process_time() - began)
    return least / _MESSAGES * 1e6


def row_bytes() -> int:
    """Of the row of an answered request."""
    row = LedgerRow(
        id="0123456789abcdef01234567",
        kind=RowKind.SETTLED,
        at=1_795_000_000.123,
        tenant="search-team",
        request_id="req_0123456789abcdef01234567",
        key_id="Z8ijuOYk24",
        model="gpt-4o",
        deployment="paygo-sweden",
        deployment_kind="paygo",
        operation="chat_completions",
        status=200,
        outcome="finished",
        input=138,
        output=100,
        nano_usd=1_345_000,
        reserved_tokens=338,
        reserved_nano_usd=2_345_000,
        started_at=1_795_000_000.001,
        duration=1.234567,
        attempts=1,
        day="2026-11-21",
        hour="2026-11-21T21",
    )
    return len(encode(row))


def main() -> None:
    """Print them."""
    for workers in (2, 16, 32, 64, 128):
        sys.stdout.write(f"{workers:4} workers: {hearing_us(workers):.1f} us a message\n")
    sys.stdout.write(f"{row_bytes()} bytes a row\n")


if __name__ == "__main__":
    main()
