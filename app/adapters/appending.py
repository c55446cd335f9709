"""Appends to open files: what is written is on the disk, and what fails says of which file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Around writes to an open file, whose OSError names none: nobody knew which disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def append(file: int, data: bytes, path: Path) -> None:
    """Write all of it durably. Raises OSError; a part of it may have been written then."""
    with naming(path):
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
