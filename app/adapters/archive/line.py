r"""One line of an archive: JSON that begins with the CRC32 of all that follows it.

    {"crc":"0a1b2c3d","n":12,"tenant":"search","id":"1790000000000-0","row":{…}}

`n` counts the archive's lines, whatever the file, so that a missing one is noticed. A checksum
finds accidents, not intent: who can write the files can write a matching one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final
from zlib import crc32

import msgspec

_OPENING: Final = b'{"crc":"'
_BODY: Final = len(_OPENING) + len('0a1b2c3d",')


class Damaged(ValueError):
    """A line that is not as it was written."""


class UnknownForm(Damaged):
    """A line that is as it was written, but not by this version."""


class Summary(msgspec.Struct, frozen=True):
    """What a closed segment holds; `first_at` and `last_at` bound its rows' times, Unix seconds."""

    file: str
    sha256: str
    rows: int
    first_at: float | None
    last_at: float | None


class Header(msgspec.Struct, frozen=True):
    """The first line of a segment: all that is needed to go on without the segments before it."""

    number: int
    began: float  # Unix seconds
    positions: Mapping[str, str]  # by tenant, the last entry archived before
    previous: Summary | None = None


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line: a segment's header, or a tenant's row or position."""

    n: int
    tenant: str = ""
    id: str = ""
    row: msgspec.Raw = msgspec.Raw()  # empty: none
    unreadable: str | None = None  # base64 of an entry that is no ledger row of the tenant
    position: str | None = None  # the tenant's stream was rolled back: it goes on after this
    segment: Header | None = None

    @property
    def entry(self) -> bytes | None:
        """The entry's bytes, for a line that archives one."""
        if row := bytes(self.row):
            return row
        return None if self.unreadable is None else base64.b64decode(self.unreadable)

    @property
    def reached(self) -> str | None:
        """The tenant's position after this line, if it is one of a tenant."""
        return (self.id or self.position) if self.tenant else None


_DECODER: Final = msgspec.json.Decoder(Line)


def row_line(n: int, tenant: bytes, stream_id: str, row: bytes) -> bytes:
    """An archived row; `tenant` is its name as JSON, `row` is JSON on one line."""
    head = b'"n":%d,"tenant":%b,"id":"%b","row":' % (n, tenant, stream_id.encode())
    crc = crc32(b"}", crc32(row, crc32(head)))  # as `sealed` has it, without a copy of the row
    return b'%b%08x",%b%b}\n' % (_OPENING, crc, head, row)


def other_line(line: Line) -> bytes:
    """Any other line."""
    return sealed(msgspec.json.encode(line)[1:])


def opened(data: bytes) -> Line:
    """The line in these bytes, which end with its newline. Raises Damaged."""
    body = unsealed(data)
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, binascii.Error) as error:
        raise UnknownForm(f"the checksum matches, but not the form: {error}") from error


def sealed(body: bytes) -> bytes:
    """A line of a JSON object, given without its opening brace; it gets a checksum and an end."""
    return b'%b%08x",%b\n' % (_OPENING, crc32(body), body)


def unsealed(data: bytes) -> bytes:
    """The object in these bytes, which end with their newline. Raises Damaged."""
    if not data.endswith(b"\n"):
        raise Damaged("the line has no end")
    body = data[_BODY:-1]
    try:
        written = int(data[len(_OPENING) : _BODY - 2], 16)
    except ValueError:
        raise Damaged("the line does not begin with a checksum") from None
    if not data.startswith(_OPENING) or written != crc32(body):
        raise Damaged("the checksum does not match")
    return b"{" + body
