"""A request to the data plane, as any application would send it, and what comes back of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import orjson

from app.wire.sse import FrameBuffer, data_of

#: From the question to the last byte, in seconds.
LONGEST_S: Final = 120.0
_PATH: Final = "/v1/chat/completions"
_SHOWN: Final = ("x-request-id", "x-spillgate-", "x-ratelimit-", "retry-after", "x-should-retry")
_END: Final = b"[DONE]"
_MOST_ERROR: Final = 64 * 1024
#: Addresses that stand for all of a machine's, as one that can be called.
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # nothing is bound here


@dataclass(frozen=True, slots=True)
class Head:
    """How an answer begins; of its headers those that the gateway adds."""

    status: int
    headers: dict[str, str]
    took_s: float


@dataclass(frozen=True, slots=True)
class Text:
    """Some more of it."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Why there is none, or no more."""

    message: str


@dataclass(frozen=True, slots=True)
class Done:
    """It is over: what it used, as the answer tells, and how long it took."""

    took_s: float
    first_s: float | None
    usage: dict[str, Any] = field(default_factory=dict)


Event = Head | Text | Failed | Done


async def ask(url: str, key: str, body: Mapping[str, Any]) -> AsyncIterator[Event]:
    """Events as they come; never raises for what the gateway or the network does."""
    import aiohttp  # noqa: PLC0415  # a megabyte, for whoever opens the playground

    began, failed = time.monotonic(), ""
    timeout = aiohttp.ClientTimeout(total=LONGEST_S)
    headers = {"authorization": f"Bearer {key}"}
    # Certificates are for the names that clients have for the gateway; this is our own listener.
    connector = aiohttp.TCPConnector(ssl=False)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as client,
            client.post(_callable(url) + _PATH, json=dict(body), headers=headers) as answer,
        ):
            yield Head(answer.status, _shown(answer.headers), time.monotonic() - began)
            if not answer.ok:
                yield Failed(_message(await answer.content.read(_MOST_ERROR)))
                return
            async for event in _events(answer.content.iter_any(), began):
                yield event
    except TimeoutError:
        failed = f"There was no end of the answer within {LONGEST_S:.0f} s."
    except (aiohttp.ClientError, OSError, ValueError) as error:
        failed = f"The data plane does not answer: {type(error).__name__}."
    if failed:
        yield Failed(failed)


async def _events(chunks: AsyncIterator[bytes], began: float) -> AsyncIterator[Event]:
    frames, first, usage = FrameBuffer(), None, dict[str, Any]()
    async for chunk in chunks:
        for frame in frames.feed(chunk):
            said = _said(frame)
            usage = said.get("usage") or usage
            if "error" in said:
                yield Failed(str(said["error"].get("message", "")))
            if text := _text(said):
                first = first or time.monotonic() - began
                yield Text(text)
    yield Done(time.monotonic() - began, first, usage)


def _said(frame: bytes) -> dict[str, Any]:
    data = data_of(frame)
    if not data or data == _END:
        return {}
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(said: dict[str, Any]) -> str:
    choices = said.get("choices") or [{}]
    return str((choices[0].get("delta") or {}).get("content") or "")


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["error"]["message"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "The gateway refused without a message."


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    lower = {name.lower(): value for name, value in headers.items()}
    return {name: lower[name] for name in sorted(lower) if name.startswith(_SHOWN)}


def _callable(url: str) -> str:
    parts = urlsplit(url)
    host = _ANY.get(parts.hostname or "", parts.hostname or "")
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, shown + port, "", "", ""))
