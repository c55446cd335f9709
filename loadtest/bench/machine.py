"""The machine as the benchmark uses it: which core is whose, and what a process has taken.

Linux alone: cores are set by affinity, processor times are read from /proc.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICKS_S: Final = os.sysconf("SC_CLK_TCK")
_KIB: Final = 1024
#: In /proc/net/tcp (kernel: include/net/tcp_states.h).
_LISTENING: Final = "0A"


class Unfit(Exception):
    """This machine cannot be measured on; says why."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Core numbers: the gateway's own one, and those of the load and the upstream."""

    gateway: int
    load: tuple[int, ...]

    @classmethod
    def of_this_machine(cls) -> Cores:
        """The last one this process may use is the gateway's. Raises Unfit."""
        if sys.platform != "linux":
            raise Unfit("the benchmark is for Linux: it sets cores, and reads /proc")
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:  # noqa: PLR2004  # the gateway's, and another
            raise Unfit("the gateway needs a core of its own, and there is only one")
        return cls(usable[-1], tuple(usable[:-1]))


def processes_of(root: int) -> tuple[int, ...]:
    """The process and all that descend from it and live."""
    children: dict[int, list[int]] = {}
    for pid, fields in _every():
        children.setdefault(int(fields[1]), []).append(pid)
    found, waiting = [], [root]
    while waiting:
        found.append(pid := waiting.pop())
        waiting += children.get(pid, [])
    return tuple(found)


def cpu_s(pids: Iterable[int]) -> float:
    """Processor seconds of the processes, user and system, with their ended children's.

    In steps of a clock tick, 10 ms on most machines; the kernel scales what it sampled to what
    was really used (proc(5), `utime` to `cstime`).
    """
    found = (fields for pid in pids if (fields := _stat(pid)))
    return sum(sum(int(each) for each in fields[11:15]) for fields in found) / _TICKS_S


def kernel_s(pids: Iterable[int]) -> float:
    """Of `cpu_s` what the kernel took for them: sockets above all. Sampled, so a part is rough."""
    found = (fields for pid in pids if (fields := _stat(pid)))
    return sum(int(fields[12]) + int(fields[14]) for fields in found) / _TICKS_S


def core_busy_s(core: int) -> float:
    """Seconds in which the core did something, for whomever (proc(5), `cpuN` of /proc/stat)."""
    for line in (_PROC / "stat").read_text().splitlines():
        name, *fields = line.split()
        if name == f"cpu{core}":
            user, nice, system, _, _, irq, softirq, steal = map(int, fields[:8])
            return (user + nice + system + irq + softirq + steal) / _TICKS_S
    raise Unfit(f"/proc/stat does not tell of core {core}")


def rss_mb(pids: Iterable[int]) -> float:
    """Resident memory of the processes, in MiB."""
    pages = sum(int(fields[21]) for pid in pids if (fields := _stat(pid)))
    return pages * os.sysconf("SC_PAGE_SIZE") / _KIB / _KIB


def rolled_up(pid: int) -> dict[str, float]:
    """A process's memory by kind, in MiB (proc(5), `smaps_rollup`): Rss, Pss, Anonymous, ..."""
    lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    words = (line.split() for line in lines)
    return {name.rstrip(":"): int(kib) / _KIB for name, kib, *_ in words}


def descriptors(pids: Iterable[int]) -> int:
    """Files and sockets that the processes have open."""
    return sum(len(list((_PROC / str(pid) / "fd").iterdir())) for pid in pids)


def descriptor_kinds(pids: Iterable[int]) -> Counter[str]:
    """The same by what they are: a file's path, a socket's end, what the kernel calls another."""
    found: Counter[str] = Counter()
    for pid in pids:
        ends = _socket_ends(pid)
        for each in (_PROC / str(pid) / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                kind, _, number = str(each.readlink()).partition(":")
                found[ends.get(number.strip("[]"), kind) if kind == "socket" else kind] += 1
    return found


def _socket_ends(pid: int) -> dict[str, str]:
    """By a socket's number: "tcp 127.0.0.1:8080", "tcp to 127.0.0.1:6379", "unix"."""
    ends: dict[str, str] = {}
    for line in _lines(pid, "unix"):
        ends[line.split()[6]] = "unix"
    for line in _lines(pid, "tcp"):
        _, here, there, state, *rest = line.split()
        is_listening = state == _LISTENING
        ends[rest[5]] = f"tcp {_address(here)}" if is_listening else f"tcp to {_address(there)}"
    return ends


def _lines(pid: int, table: str) -> list[str]:
    return (_PROC / str(pid) / "net" / table).read_text("ascii").splitlines()[1:]


def _address(hexadecimal: str) -> str:
    host, _, port = hexadecimal.partition(":")
    return f"{socket.inet_ntoa(bytes.fromhex(host)[::-1])}:{int(port, 16)}"


def described() -> dict[str, str | int]:
    """What a reader has to know of the machine."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load and upstream": "before Redis" if can_precede() else "by turns with Redis",
    }


def can_precede() -> bool:
    """Whether what stands for other machines may go first, mostly by CAP_SYS_NICE (sched(7))."""
    usual, param = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, usual, param)
    return True


def _processor() -> str:
    for line in (_PROC / "cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _every() -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            yield int(entry.name), fields


def _stat(pid: int) -> list[str]:
    """The fields after the name, which may have spaces; empty where there is no such process."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
