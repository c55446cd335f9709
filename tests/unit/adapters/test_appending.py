"""What is appended is whole and on the disk, or the error says of which file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from app.adapters.appending import append, naming


def test_that_all_of_it_is_written(tmp_path: Path) -> None:
    """Behind what is there."""
    path = tmp_path / "log"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        append(file, b"one\n", path)
        append(file, b"", path)
        append(file, b"two\n", path)
    finally:
        os.close(file)
    assert path.read_bytes() == b"one\ntwo\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_that_a_full_disk_is_told_by_the_files_name() -> None:
    """A descriptor has none, and a gateway writes to several disks."""
    file = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(OSError, match=r"No space left on device: '/var/ledger'") as raised:
            append(file, b"a line", Path("/var/ledger"))
    finally:
        os.close(file)
    assert raised.value.errno == errno.ENOSPC


def test_that_other_errors_are_left_alone(tmp_path: Path) -> None:
    """They are of another file, or of none."""
    with pytest.raises(ValueError, match=r"^odd$"), naming(tmp_path):
        raise ValueError("odd")
    with pytest.raises(OSError, match=r"other'$"), naming(tmp_path):
        (tmp_path / "other").read_bytes()
