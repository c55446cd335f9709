"""The tenants' ledger streams in Redis, read and trimmed many in one round trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from app.adapters.archive.stream_id import START, unix_time
from app.adapters.redis.account import account_key
from app.adapters.redis.breaker import Breaker
from app.adapters.redis.connection import guarded
from app.domain.ledger_row import UnreadableRow, decode, encode, marked

Entry = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """Entries that follow a position; `length` is the whole stream's, in entries."""

    tenant: str
    entries: Sequence[Entry]
    length: int
    rolled_back: bool = False  # the entry at the position is not there


@dataclass(frozen=True, slots=True)
class Trim:
    """What is archived up to `position`, and too old before `minimum`, which is no later."""

    tenant: str
    position: str
    minimum: str


class LedgerStreams:
    """Streams by tenant. All methods raise StoreUnavailable; each call is bounded."""

    def __init__(self, client: Redis, breaker: Breaker) -> None:
        self._client = client
        self._breaker = breaker
        self._refused: set[str] = set()

    async def pages(self, positions: Mapping[str, str], count: int) -> list[Page]:
        """What follows each tenant's position, at most `count` entries each.

        A tenant whose stream Redis refuses to read is left out, and logged.
        """
        commands: list[tuple[str | int, ...]] = []
        for tenant, position in positions.items():
            # The position's own entry is asked for too: whether it is there says a great deal.
            start, more = (position, count + 1) if position != START else ("-", count)
            commands.append(("XRANGE", key_of(tenant), start, "+", "COUNT", more))
            commands.append(("XLEN", key_of(tenant)))
        answers = await self._run(commands)
        found = zip(positions.items(), answers[::2], answers[1::2], strict=True)
        return [
            _page(tenant, position, entries, length)
            for (tenant, position), entries, length in found
            if self._answered(tenant, entries)
        ]

    async def trim(self, trims: Sequence[Trim], *, keep_rows: int) -> None:
        """Drop what is too old, then the oldest of what is archived where more rows are left.

        Redis drops the latter by whole blocks of a stream, so some more may be left.
        """
        commands: list[tuple[str | int, ...]] = []
        for each in trims:
            commands.append(("XTRIM", key_of(each.tenant), "MINID", each.minimum))
            commands.append(("XLEN", key_of(each.tenant)))
        answers = await self._run(commands)
        lengths = zip(trims, answers[1::2], strict=True)
        over = [
            ("XTRIM", key_of(each.tenant), "MINID", "~", each.position, "LIMIT", length - keep_rows)
            for each, length in lengths
            if isinstance(length, int) and length > keep_rows
        ]
        if over:
            await self._run(over)

    def _answered(self, tenant: str, answer: object) -> bool:
        """Whether it is an answer; logs where that changed."""
        if not isinstance(answer, Exception):
            self._refused.discard(tenant)
            return True
        if tenant not in self._refused:
            self._refused.add(tenant)
            log = structlog.get_logger()
            log.error("ledger_stream_refused", tenant=tenant, error=type(answer).__name__)
        return False

    async def _run(self, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
        return await guarded(self._breaker, lambda: self._execute(commands))

    async def _execute(self, commands: Sequence[tuple[str | int, ...]]) -> list[Any]:
        """One round trip; a refusal of one command is its answer."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            _ = pipeline.execute_command(*command)  # queued, not sent
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, RedisConnectionError | RedisTimeoutError):
                raise answer  # a server that loads its data says so this way
        return answers


def key_of(tenant: str) -> str:
    """The stream of a tenant's ledger rows; its account writes it."""
    return f"{account_key(tenant)}:ledger"


def _page(tenant: str, position: str, found: Sequence[Any], length: int) -> Page:
    entries = [(_id(stream_id), fields) for stream_id, fields in found]
    if position == START:
        return Page(tenant, [_entry(*each) for each in entries], length)
    if not entries or entries[0][0] != position:
        return Page(tenant, (), length, rolled_back=True)
    return Page(tenant, [_entry(*each) for each in entries[1:]], length)


def _id(stream_id: bytes) -> str:
    return stream_id.decode("ascii")


def _entry(stream_id: str, fields: Mapping[bytes, bytes]) -> Entry:
    """The row, with what the account noted beside it worked in."""
    row, mark = fields.get(b"row", b""), fields.get(b"mark", b"")
    if not mark:
        return stream_id, row
    try:
        return stream_id, encode(marked(decode(row), mark.decode(), unix_time(stream_id)))
    except (UnreadableRow, UnicodeDecodeError):
        return stream_id, row
