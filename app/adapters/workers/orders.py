"""What a worker is ordered: read by a thread, so that it ends even where its loop does not turn."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

from app.adapters.workers.messages import Begin, Drain, Hurry, Order, Reload, order_of
from app.adapters.workers.process import RELEASE_S

#: For an orphan to end what is under way, before it is ended as it is.
ORPHAN_S: Final = RELEASE_S - 2.0
_PIECE: Final = 65536


def lines_of(descriptor: int) -> Iterator[bytes]:
    """Lines until its end. Read without a buffer's lock, which a thread must not hold at exit."""
    rest = b""
    while piece := os.read(descriptor, _PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines


def order_to_begin(lines: Iterator[bytes]) -> Begin | None:
    """The first order; None where there is none. Raises msgspec.MsgspecError."""
    first = next(lines, None)
    order = None if first is None else order_of(first)
    return order if isinstance(order, Begin) else None


def _give_up() -> None:
    time.sleep(ORPHAN_S)
    os._exit(1)


class Orders:
    """`end` and `hurry` are set once; reloads wait in their order."""

    def __init__(self) -> None:
        """Made by `heard`."""
        self.end = asyncio.Event()
        self.hurry = asyncio.Event()
        self.reloads: asyncio.Queue[bytes] = asyncio.Queue()
        self.is_orphan = False

    @classmethod
    def heard(cls, lines: Iterator[bytes], give_up: Callable[[], None] = _give_up) -> Orders:
        """Hear them from now on, on the running loop; their end is an order to end at once.

        Then `give_up` is called, in a thread: it ends the process where nothing else does.
        """
        orders, loop = cls(), asyncio.get_running_loop()
        hearing = threading.Thread(
            target=orders._hear, args=(lines, loop, give_up), name="orders", daemon=True
        )
        hearing.start()
        return orders

    def take(self, order: Order) -> None:
        """Follow one."""
        match order:
            case Reload(content):
                self.reloads.put_nowait(content)
            case Drain():
                self.end.set()
            case Hurry():
                self.hurry.set()
                self.end.set()
            case Begin():
                pass  # it has

    def _hear(
        self,
        lines: Iterator[bytes],
        loop: asyncio.AbstractEventLoop,
        give_up: Callable[[], None],
    ) -> None:
        with suppress(RuntimeError):  # the loop has ended, and so does the process
            for line in lines:
                loop.call_soon_threadsafe(self.take, order_of(line))
            loop.call_soon_threadsafe(self._orphaned)
        give_up()

    def _orphaned(self) -> None:
        self.is_orphan = True
        self.take(Hurry())
