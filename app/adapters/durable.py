"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from app.adapters.appending import naming
from app.adapters.archive.segment import sync_directory

#: Buckets that are mounted as a volume know no fsync of a directory.
_NO_SUCH_CALL: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})


@contextmanager
def written(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes its place once it is whole and on the disk. Raises OSError.

    Until then it has a name beginning with a dot, which `*` does not match; a process that is
    killed leaves it behind, for the next writer of the same file to write over.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with naming(path), partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def write_json(path: Path, value: Any) -> None:
    """Replace a file by a value. Raises OSError."""
    with written(path) as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def _sync(directory: Path) -> None:
    try:
        sync_directory(directory)
    except OSError as error:
        if error.errno not in _NO_SUCH_CALL:
            raise
