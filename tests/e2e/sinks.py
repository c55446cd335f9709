"""Everything a gateway writes and answers, to be searched for what must not be in it."""

from __future__ import annotations

import base64
import io
import re
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tests.e2e.stack import Stack
from tests.fakes.trace_receiver import TraceReceiver

OWNER: Final = {"authorization": "Bearer an-admin-key-of-tests"}

#: Of a canary what is looked for: so much is left of it wherever it was cut.
_CORE: Final = 24
_HEXADECIMAL: Final = re.compile(rf"[0-9a-f]{{{_CORE},}}")
#: The same once more in hexadecimal, and in base64 of either alphabet.
_HEX_OF_IT: Final = re.compile(rf"[0-9a-f]{{{2 * _CORE},}}")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{32,}")
_ESCAPED: Final = re.compile(r"(?:\\u00|\\x|%|&#x)([0-9A-Fa-f]{2});?")
_URLSAFE: Final = str.maketrans("-_", "+/")


class Canaries:
    """A value for each place that it is planted in; none looks like a key, none is in another."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}
        self._made: dict[str, str] = {}  # places by the part that is looked for
        self._given: dict[str, str] = {}  # the same of values that were not made here

    @property
    def places(self) -> frozenset[str]:
        """Where something is planted."""
        return frozenset(self._values)

    def __call__(self, place: str) -> str:
        """What is planted there: letters and digits, so that no escape hides it."""
        if place not in self._values:
            core = uuid4().hex[:_CORE]
            self._made[core] = place
            self._values[place] = f"canary{core}x{len(self._values)}end"
        return self._values[place]

    def give(self, place: str, value: str) -> str:
        """Plant a value that is what it is, such as a key; whoever has its middle has it."""
        self._values[place] = value
        self._given[_middle(value)] = place
        return value

    def found_in(self, text: str) -> set[str]:
        """The places whose canary is in this text, whole, cut, or as somebody has encoded it.

        That is: with percent, JSON's, Python's and HTML's escapes, in capitals, in hexadecimal, and
        in base64 beside anything else.
        """
        return {place for each in _readings(text) for place in self._in(each)}

    def _in(self, text: str) -> Iterator[str]:
        for run in _HEXADECIMAL.findall(text.lower()):
            windows = (run[at : at + _CORE] for at in range(len(run) - _CORE + 1))
            yield from (self._made[each] for each in windows if each in self._made)
        yield from (place for middle, place in self._given.items() if middle in text)


def _middle(value: str) -> str:
    """Of a key without what is public: its kind, its id, its checksum."""
    return value[-40:-10] if len(value) > 60 else value[4:]


def _readings(text: str) -> Iterator[str]:
    """The text, and what of it can be decoded."""
    yield text
    plain = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    if plain != text:
        yield plain
    for run in _HEX_OF_IT.findall(text.lower()):
        for start in (0, 1):
            pairs = run[start : start + (len(run) - start) // 2 * 2]
            yield bytes.fromhex(pairs).decode("latin-1")
    for run in _BASE64.findall(text):
        yield from _of_base64(run)


def _of_base64(run: str) -> Iterator[str]:
    """Of a run that may have begun within another one: four ways to read it."""
    letters = run.translate(_URLSAFE)
    for start in range(4):
        length = (len(letters) - start) // 4 * 4
        yield base64.b64decode(letters[start : start + length]).decode("latin-1")


@dataclass(slots=True)
class Sinks:
    """What one stack has written, by sink.

    `answers` are those to others than who sent it; `more` are further sinks of one test.
    """

    team: Stack
    log: io.StringIO
    traces: TraceReceiver
    redis_url: str
    answers: list[str] = field(default_factory=list)
    more: dict[str, Callable[[], str]] = field(default_factory=dict)

    async def texts(self) -> dict[str, str]:
        """All of them as text. Of Redis, names and what it tells are a sink of their own."""
        keys, values = await self._redis()
        return {
            "log": self.log.getvalue(),
            "metrics": await self._metrics(),
            "traces": "\n".join(self.traces.raw),
            "explanations": await self._explanations(),
            "admin API": await self._admin(),
            "archive": self.files(),
            "redis": values,
            "redis keys": keys,
            "other tenants": "\n".join(self.answers),
            **{name: read() for name, read in self.more.items()},
        }

    async def get(self, path: str, **headers: str) -> str:
        """An answer of the data plane, as it came."""
        url = f"{self.team.process.data_url}{path}"
        async with self.team.http.get(url, headers=headers) as answer:
            return f"{answer.headers}\n{await answer.text()}"

    async def _metrics(self) -> str:
        url = f"{self.team.process.admin_url}/metrics"
        texts = []
        for kind in ("text/plain", "application/openmetrics-text; version=1.0.0"):
            async with self.team.http.get(url, headers={"accept": kind}) as answer:
                assert answer.status == 200
                texts.append(await answer.text())
        return "\n".join(texts)

    async def admin_text(self, path: str) -> str:
        """An answer of the admin API to its owner."""
        url = f"{self.team.process.admin_url}/admin/v1/{path}"
        async with self.team.http.get(url, headers=OWNER) as answer:
            return f"{answer.headers}\n{await answer.text()}"

    async def _explanations(self) -> str:
        ids = {each.request_id for each in self.team.receipts.kept if each.tenant}
        return "\n".join([await self.admin_text(f"explain/{each}") for each in ids])

    async def _admin(self) -> str:
        team = f"team-{self.team.suffix}"
        paths = (
            *("me", "tenants", "admins", "audit", "audit/verify", "deployments", "logs", "cache"),
            *("anomalies", "routing", "openapi.json", "usage?group_by=tenant"),
            *(f"ledger?tenant={team}", f"cache/{team}/errors"),
            *(f"tenants/{team}{part}" for part in ("", "/keys", "/limits")),
        )
        return "\n".join([await self.admin_text(path) for path in paths])

    def files(self) -> str:
        """What is in the archive, spool and exports beside it included."""
        ledger = self.team.process.current.settings.ledger
        assert ledger is not None
        return files_under(Path(ledger.archive))

    async def _redis(self) -> tuple[str, str]:
        return await redis_texts(self.redis_url)


async def redis_texts(url: str) -> tuple[str, str]:
    """Names of keys, of fields and of indexes; and every key with its value."""
    async with Redis.from_url(url) as client:
        redis: Any = client
        found = [(key, await _value(redis, key)) async for key in redis.scan_iter()]
        about = [repr(await redis.info()), repr(await redis.client_list())]
        with suppress(Exception):  # a server without the search module
            about.append(repr(await redis.execute_command("FT._LIST")))
    assert found
    names = [f"{key!r} {[*value] if isinstance(value, dict) else ''}" for key, value in found]
    return "\n".join(names + about), "\n".join(f"{key!r} {read!r}" for key, read in found)


def files_under(directory: Path) -> str:
    """Their names and what is in them, however it is packed."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    assert files, "there is something to be searched"
    return "\n".join(f"{path}\n{unpacked(read_if_there(path))}" for path in files)


def read_if_there(path: Path) -> bytes:
    """What is in a file; nothing where it is gone: a spool is, as soon as Redis has it."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return b""


def unpacked(data: bytes) -> str:
    """Bytes as text, and where they are compressed by zlib or gzip, what they hold."""
    text = data.decode("latin-1")
    with suppress(zlib.error):
        text += zlib.decompressobj(wbits=47).decompress(data).decode("latin-1")
    return text


async def _value(redis: Any, key: bytes) -> object:
    found: object = None
    match await redis.type(key):
        case b"string":
            found = unpacked(await redis.get(key) or b"")
        case b"hash":
            fields = await redis.hgetall(key)
            found = {name: unpacked(value) for name, value in fields.items()}
        case b"list":
            found = await redis.lrange(key, 0, -1)
        case b"set":
            found = await redis.smembers(key)
        case b"zset":
            found = await redis.zrange(key, 0, -1, withscores=True)
        case b"stream":
            found = await redis.xrange(key)
        case kind if kind != b"none":  # whose time was over meanwhile
            raise AssertionError(kind)
    return found


@asynccontextmanager
async def redis_user(redis_url: str, password: str) -> AsyncIterator[str]:
    """A URL with a password, of a user who may do everything."""
    async with Redis.from_url(redis_url) as client:
        redis: Any = client
        name = f"user{uuid4().hex[:8]}"
        await redis.execute_command(
            "ACL", "SETUSER", name, "on", f">{password}", "~*", "&*", "+@all"
        )
        try:
            scheme, _, rest = redis_url.partition("://")
            yield f"{scheme}://{name}:{password}@{rest}"
        finally:
            with suppress(RedisError):  # it may be gone
                await redis.execute_command("ACL", "DELUSER", name)
