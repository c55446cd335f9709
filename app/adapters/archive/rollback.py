"""Where a stream that lost its last moments and the archive that kept them part."""

from __future__ import annotations

import asyncio
from typing import Final
from zlib import crc32

from app.adapters.archive.archive import Archive, one_line
from app.adapters.archive.ledger_streams import Entry, LedgerStreams
from app.adapters.archive.stream_id import START
from app.errors import StoreUnavailable

_PAGE: Final = 500


async def last_common(streams: LedgerStreams, archive: Archive, tenant: str) -> str:
    """The id of the last of the stream's first entries that are archived; `0-0` if the first isn't.

    An entry is told by its id and its bytes: a promoted replica whose clock is behind may give an
    id once more. Raises StoreUnavailable.
    """
    known: set[tuple[str, int]] | None = None
    position = START
    while page := await _page(streams, tenant, position):
        if known is None:
            known = await asyncio.to_thread(_known, archive, tenant, page[0][0])
        for entry in page:
            if _identity(entry) not in known:
                return position
            position = entry[0]
    return position


async def _page(streams: LedgerStreams, tenant: str, position: str) -> list[Entry]:
    pages = await streams.pages({tenant: position}, _PAGE)
    if not pages or not pages[0].answered:
        raise StoreUnavailable("The gateway's store refused a command.")
    return list(pages[0].entries)


def _known(archive: Archive, tenant: str, since_id: str) -> set[tuple[str, int]]:
    return {_identity(entry) for entry in archive.entries(tenant, since_id)}


def _identity(entry: Entry) -> tuple[str, int]:
    return entry[0], crc32(one_line(entry[1]))
