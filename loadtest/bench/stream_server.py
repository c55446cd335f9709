"""The upstream of streams, fast enough for forty thousand frames a second; also takes traces.

    python -m loadtest.bench.stream_server --port 9000 --frames 100 --interval-ms 10

What is asked below `/streams` is answered as a stream, whatever is asked: the first frame, which
has no text, and the second one at once, as models' first tokens come; then one each `interval-ms`.
A gateway that waits for text before it commits itself to an answer is not kept waiting by the
upstream. Other chats are answered whole. All else, such as traces by OTLP over HTTP, is thanked
for.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import httptools
import uvloop

from loadtest.bench.payloads import STREAM_PREFIX, answer, content_frame, last_frames

_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
#: Streams are dealt to turns of this length, so that not all of them are written to at once.
_TURN_S: Final = 0.001


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(body: bytes, kind: bytes = b"application/json") -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


_ANSWER: Final = _whole(answer())
_THANKS: Final = _whole(b"", b"application/x-protobuf")


@dataclass(slots=True)
class Stream:
    """An answer under way; `at` is the next frame's number."""

    transport: asyncio.WriteTransport
    at: int = 0


class Wheel:
    """Writes every stream's next frame when its turn comes, once in so many turns."""

    def __init__(self, frames: Sequence[bytes], tail: bytes, turns: int) -> None:
        self._frames = frames
        self._tail = tail
        self._slots: list[list[Stream]] = [[] for _ in range(turns)]
        self._turn = 0

    def begin(self, transport: asyncio.WriteTransport) -> None:
        """Answer with a stream, from now on: who speaks, and the first token, at once."""
        transport.write(_HEAD + self._frames[0] + self._frames[1])
        self._slots[self._turn % len(self._slots)].append(Stream(transport, 2))

    def turn_to(self, turn: int) -> None:
        """Write what is due up to this turn; where that is late, all of it."""
        while self._turn < turn:
            self._turn += 1
            slot = self._turn % len(self._slots)
            if streams := self._slots[slot]:
                self._slots[slot] = [each for each in streams if self._goes_on(each)]

    def _goes_on(self, stream: Stream) -> bool:
        if stream.transport.is_closing():
            return False
        last = stream.at == len(self._frames) - 1
        frame = self._frames[stream.at]
        stream.transport.write(frame + self._tail if last else frame)
        stream.at += 1
        return not last


class Connection(asyncio.Protocol):
    """One caller; requests are read to their end and not looked at."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        if self._url.startswith(STREAM_PREFIX.encode()):
            self._wheel.begin(self._transport)
        else:
            whole = self._url.endswith(b"/chat/completions")
            self._transport.write(_ANSWER if whole else _THANKS)


def wheel_of(frames: int, interval_s: float) -> Wheel:
    """A wheel of streams of so many frames, and what ends them."""
    chunks = [_chunk(content_frame(number)) for number in range(frames)]
    tail = _chunk(last_frames()) + b"0\r\n\r\n"
    return Wheel(chunks, tail, max(1, round(interval_s / _TURN_S)))


async def turning(wheel: Wheel) -> None:
    """Turn it, for ever."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(_TURN_S)
        wheel.turn_to(int((time.monotonic() - began) / _TURN_S))


async def _serve(port: int, wheel: Wheel) -> None:
    loop = asyncio.get_running_loop()
    serving = loop.create_server(lambda: Connection(wheel), "127.0.0.1", port, backlog=2048)
    async with await serving:
        await turning(wheel)


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--interval-ms", type=float, default=10)
    options = parser.parse_args()
    uvloop.run(_serve(options.port, wheel_of(options.frames, options.interval_ms / 1000)))


if __name__ == "__main__":
    main()
