"""What the C library keeps: looked at from outside, in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

#: Eight threads at once, each with a block that is too large for their own small caches; then
#: the library tells of its arenas.
TOLD = """
import ctypes, sys, threading
from app.bootstrap.settled import share_arenas
if sys.argv[1] == "shared":
    share_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.fopen.restype = ctypes.c_void_p
all_have = threading.Barrier(8)
def has():
    libc.malloc(5000)
    all_have.wait()
threads = [threading.Thread(target=has) for _ in range(8)]
for each in threads: each.start()
for each in threads: each.join()
file = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


def arenas(how: str, place: Path) -> int:
    told = place / how
    subprocess.run([sys.executable, "-c", TOLD, how, str(told)], check=True)
    return told.read_text().count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have none")
def test_threads_share_two_arenas(tmp_path: Path) -> None:
    """Left to itself, the library has more of them than that."""
    assert arenas("left", tmp_path) > 2
    assert arenas("shared", tmp_path) == 2
