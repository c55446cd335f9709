"""The tenants' ledger streams in Redis, read and trimmed many in one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import structlog

from app.adapters.archive.stream_id import START, unix_time
from app.adapters.redis.account import account_key
from app.adapters.redis.batch import Batch, Command, Refused
from app.domain.ledger.ledger_row import UnreadableRow, decode, encode, marked
from app.errors import StoreUnavailable

Entry = tuple[str, bytes]

#: Entries that come at once, of all streams together: some half a millisecond of work, in which no
#: request is served; and the fewest of one.
_AT_ONCE: Final = 128
_FEWEST: Final = 4
#: Names and values of an entry, as the account writes them: its row, and a mark, mostly empty.
_FIELDS: Final = 4


class Page(msgspec.Struct, frozen=True):
    """Entries that follow a position; `length` is the whole stream's, in entries."""

    tenant: str
    entries: Sequence[Entry]
    length: int
    rolled_back: bool = False  # the entry at the position is not there
    answered: bool = True  # where not, the stream's server is lost


class Trim(msgspec.Struct, frozen=True):
    """What is archived up to `position`, and too old before `minimum`, which is no later."""

    tenant: str
    position: str
    minimum: str


class LedgerStreams:
    """Streams by tenant; each call is bounded. Of a cluster, lost nodes do not keep the others."""

    def __init__(self, batch: Batch) -> None:
        """`batch` is nobody else's: pages are large, and no request should wait behind them."""
        self._batch = batch
        self._refused: set[str] = set()

    async def pages(self, positions: Mapping[str, str], count: int) -> list[Page]:
        """What follows each tenant's position, at most `count` entries each.

        A tenant whose stream Redis refuses to read is left out, and logged.
        """
        part = max(_FEWEST, _AT_ONCE // max(1, len(positions)))
        pages = await asyncio.gather(
            *(self._page(*each, count, part) for each in positions.items())
        )
        return [page for page in pages if page is not None]

    async def trim(self, trims: Sequence[Trim], *, keep_rows: int) -> None:
        """Drop what is too old, then the oldest of what is archived where more rows are left.

        Redis drops the latter by whole blocks of a stream, so some more may be left. What a lost
        server has is left for another time.
        """
        await asyncio.gather(*(self._trim(each, keep_rows) for each in trims))

    async def _page(self, tenant: str, position: str, count: int, part: int) -> Page | None:
        """Read in parts; None where Redis refuses."""
        entries: list[Entry] = []
        while True:
            wanted = min(part, count - len(entries))
            page = await self._part(tenant, position, wanted)
            if page is None or not page.answered or page.rolled_back:
                return page  # what came before it is read again
            entries += page.entries
            if len(page.entries) < wanted or len(entries) >= count:
                return Page(tenant, entries, page.length)
            position = entries[-1][0]

    async def _part(self, tenant: str, position: str, count: int) -> Page | None:
        # The position's own entry is asked for too: whether it is there says a great deal.
        start, more = (position, count + 1) if position != START else ("-", count)
        entries, length = await self._run(
            ("XRANGE", key_of(tenant), start, "+", "COUNT", more), ("XLEN", key_of(tenant))
        )
        for answer in (entries, length):
            if isinstance(answer, StoreUnavailable):
                return self._unread(tenant, answer)
        self._refused.discard(tenant)
        return _page(tenant, position, entries, length)

    def _unread(self, tenant: str, error: StoreUnavailable) -> Page | None:
        """None where it was refused, which is logged when it begins."""
        if not isinstance(error, Refused):
            return Page(tenant, (), 0, answered=False)
        if tenant not in self._refused:
            self._refused.add(tenant)
            kind = type(error.__cause__).__name__
            structlog.get_logger().error("ledger_stream_refused", tenant=tenant, error=kind)
        return None

    async def _trim(self, trim: Trim, keep_rows: int) -> None:
        key = key_of(trim.tenant)
        _, length = await self._run(("XTRIM", key, "MINID", trim.minimum), ("XLEN", key))
        if isinstance(length, int) and length > keep_rows:
            excess = length - keep_rows
            await self._run(("XTRIM", key, "MINID", "~", trim.position, "LIMIT", excess))

    async def _run(self, *commands: Command) -> list[Any]:
        """The answers, or StoreUnavailable in place of one; those asked at once travel together."""
        calls = (self._answer(command) for command in commands)
        return await asyncio.gather(*calls)

    async def _answer(self, command: Command) -> Any:
        try:
            return await self._batch.call(command, as_told=True)
        except StoreUnavailable as error:
            return error


def key_of(tenant: str) -> str:
    """The stream of a tenant's ledger rows; its account writes it."""
    return f"{account_key(tenant)}:ledger"


def _page(tenant: str, position: str, found: Sequence[Any], length: int) -> Page:
    if position != START:
        if not found or found[0][0] != position.encode():
            return Page(tenant, (), length, rolled_back=True)
        found = found[1:]
    entries = [
        (told.decode(), fields[1])
        if len(fields) == _FIELDS and fields[0] == b"row" and not fields[3]
        else _entry(told.decode(), fields)
        for told, fields in found
    ]
    return Page(tenant, entries, length)


def _entry(stream_id: str, fields: Sequence[bytes]) -> Entry:
    """The row, with what the account noted beside it worked in."""
    known = dict(zip(fields[::2], fields[1::2], strict=True))
    row, mark = known.get(b"row", b""), known.get(b"mark", b"")
    if not mark:
        return stream_id, row
    try:
        return stream_id, encode(marked(decode(row), mark.decode(), unix_time(stream_id)))
    except (UnreadableRow, UnicodeDecodeError):
        return stream_id, row
