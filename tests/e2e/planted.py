"""A gateway full of secrets, each different: what they are, and where they are looked for."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from app.adapters.logs import configure_logs
from app.cli.key import new_key
from app.domain.ledger.completion import Receipt
from tests.e2e.sinks import OWNER, Canaries, Sinks, redis_user
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.fakes.trace_receiver import trace_receiver

CHAT: Final = "/v1/chat/completions"
RIVAL: Final = new_key("test")

#: Where a value may be all the same, and why.
ALLOWED: Final = {
    # Callers' own ids and tags are there to be found again.
    "tag": {"redis", "archive", "admin API"},
    "request id": {
        *("log", "traces", "redis", "redis keys", "archive", "admin API", "explanations"),
    },
    # What an administrator calls things is what they are called.
    "tenant tag": {"redis", "archive", "admin API"},
    "key name": {"redis", "admin API"},
}

#: How places begin of what the gateway is told and nobody else.
_OURS: Final = (
    *("deployment key", "redis password", "webhook", "trace header", "owner key", "pepper"),
    *("new key", "export header", "identity header", "upstream token", "admin's own key"),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What the sender of a request was told: status, the request's id, headers and body."""

    status: int
    request_id: str
    text: str


@dataclass(slots=True)
class Planted:
    """A stack, what is planted, and where it is looked for."""

    team: Stack
    canary: Canaries
    sinks: Sinks

    @property
    def key(self) -> dict[str, str]:
        """The tenant's own."""
        return {"api-key": self.team.key}

    def ours(self) -> set[str]:
        """Places of the gateway's own secrets."""
        return {place for place in self.canary.places if place.startswith(_OURS)}

    async def send(
        self, path: str, body: object = None, *, echoes: Iterable[str] = (), **headers: str
    ) -> Heard:
        """A request with a canary in each header that a client may send.

        What is the gateway's own secret is not in the answer to its sender either, but for what the
        upstream wrote into an answer that passes unchanged: places in `echoes`.
        """
        given = {
            "user-agent": self.canary("user-agent"),
            "cookie": f"session={self.canary('cookie')}",
            "referer": f"https://x.example/{self.canary('referer')}",
            "x-forwarded-for": self.canary("x-forwarded-for"),
            "idempotency-key": self.canary("idempotency-key"),
            "openai-organization": self.canary("organization"),
            "baggage": f"user={self.canary('baggage')}",
            f"x-{self.canary('header name')}": self.canary("header value"),
            **headers,
        }
        url = f"{self.team.process.data_url}{path}"
        sent = {"json": body} if not isinstance(body, bytes) else {"data": body}
        async with self.team.http.post(url, headers=given, **sent) as answer:
            head = f"{answer.headers}\n"
            said = ""
            with suppress(Exception):  # some break off
                async for part in answer.content.iter_any():
                    said += part.decode("latin-1")
        ours = self.ours()
        assert self.canary.found_in(head).isdisjoint(ours), head
        assert self.canary.found_in(said).isdisjoint(ours - set(echoes)), said
        return Heard(answer.status, answer.headers.get("x-request-id", ""), head + said)

    async def ask(self, path: str, body: object, **more: Any) -> Receipt:
        """A request of the tenant's, and the gateway's own record of what became of it."""
        heard = await self.send(path, body, **{**self.key, **more})
        return await self.team.receipt(heard.request_id)

    async def served(self, path: str, body: object, **headers: str) -> None:
        """A request of the tenant's, which is answered."""
        heard = await self.send(path, body, **{**self.key, **headers})
        assert heard.status == 200, heard.text
        assert "x-spillgate-cache" in heard.text.lower(), heard.text

    async def found(self) -> dict[str, set[str]]:
        """Sinks by the places whose canary is in them, without those that are allowed."""
        found = {
            name: self.canary.found_in(text) for name, text in (await self.sinks.texts()).items()
        }
        return {
            name: wrong
            for name, places in found.items()
            if (wrong := {place for place in places if name not in ALLOWED.get(place, ())})
        }

    async def everything_is_written(self) -> None:
        """The last request's line, span, explanation and row: they come after its answer."""
        log, last = self.sinks.log, f"last-{self.team.suffix}"
        tags = {"x-request-id": last, "x-spillgate-tags": f"last={last}"}
        body = {"model": "no-such-model", "messages": []}
        await self.send(CHAT, body, **self.key, **tags)
        await eventually(lambda: last in log.getvalue())
        await eventually(lambda: any(last in each for each in self.sinks.traces.raw))
        await self.settled()

    async def settled(self) -> None:
        """What was charged is in the archive."""
        accounts: Any = self.team.process.resources.accounts
        assert await accounts.settled(30)
        # Of each tenant the last: rows are copied in the order in which they were settled.
        last = {each.tenant: each.request_id for each in self.team.receipts.kept if each.usage}
        async with asyncio.timeout(60):
            while not all(each in self.sinks.files() for each in last.values()):
                await asyncio.sleep(0.05)


def conversation(canary: Canaries, place: str, **more: Any) -> dict[str, Any]:
    """A chat with a canary wherever text may stand."""
    call = {"name": "find", "arguments": f'{{"q": "{canary(f"{place}: tool arguments")}"}}'}
    tool = {
        "name": "find",
        "description": canary(f"{place}: tool"),
        "parameters": {"type": "object"},
    }
    return {
        "model": "gpt-4o",
        "max_tokens": 5,
        "user": canary(f"{place}: user"),
        "safety_identifier": canary(f"{place}: safety_identifier"),
        "prompt_cache_key": canary(f"{place}: prompt_cache_key"),
        "metadata": {"a": canary(f"{place}: metadata")},
        "messages": [
            {"role": "system", "content": canary(f"{place}: system")},
            {"role": "user", "content": [{"type": "text", "text": canary(f"{place}: prompt")}]},
            {
                "role": "assistant",
                "tool_calls": [{"id": "c1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": canary(f"{place}: tool result")},
            {"role": "user", "name": "ann", "content": canary(f"{place}: last")},
        ],
        "tools": [{"type": "function", "function": tool}],
        **more,
    }


Sections = Callable[[str, Canaries], dict[str, Any]]


def usual(suffix: str, _canary: Canaries) -> dict[str, Any]:
    """A PTU and two pay-as-you-go deployments of one model, and one that embeds."""
    given = ptu_and_paygo(suffix)
    azure = {"endpoint": "https://x.openai.azure.com", "kind": "paygo", "tpm": 1_000_000}
    given["deployments"][f"embed-{suffix}"] = azure | {"model": "text-embedding-3-small"}
    given["models"]["embed"] = {"tiers": [[f"embed-{suffix}"]]}
    return given


@asynccontextmanager
async def planted(
    redis_url: str,
    sections: Sections = usual,
    **simulator: Any,
) -> AsyncIterator[Planted]:
    """A gateway that has a canary for each of its own secrets, logs everything, and is traced.

    `sections` are parts of its configuration. Each deployment gets a key of its own, but for those
    that have Entra ID.
    """
    canary, log = Canaries(), io.StringIO()
    canary.give("owner key", OWNER["authorization"].removeprefix("Bearer "))
    async with (
        trace_receiver() as receiver,
        redis_user(redis_url, canary("redis password")) as own_url,
    ):

        def config(suffix: str) -> dict[str, Any]:
            usual, own = _usual(suffix, own_url, receiver.url, canary), sections(suffix, canary)
            given = {**usual, **own, "redis": usual["redis"] | own.get("redis", {})}
            for name, each in given["deployments"].items():
                if "entra" not in each.get("auth", {}):
                    place = f"deployment key: {name.removesuffix(f'-{suffix}')}"
                    each["auth"] = {"api_key": canary(place)}
            return given

        with configure_logs("debug", log) as logs:
            async with stack(redis_url, config, logs=logs, **simulator) as team:
                canary.give("right key", team.key)
                yield Planted(team, canary, Sinks(team, log, receiver, redis_url))


def _usual(suffix: str, redis_url: str, traces: str, canary: Canaries) -> dict[str, Any]:
    return {
        "redis": {"url": redis_url, "operation_timeout_ms": 5000},
        "budgets": {"webhook": f"http://127.0.0.1:9/{canary('webhook')}", "alert_at": [1e-6]},
        "keys": {"pepper": canary("pepper")},
        "logs": {"level": "debug"},
        "tracing": {
            "endpoint": traces,
            "sample": 1,
            "headers": {"authorization": f"Bearer {canary('trace header')}"},
            "export": {"delay_s": 0.05, "close_s": 10},
        },
        "tenant": {"limits": {"usd_per_day": 10, "rpm": 10_000}},
        "tenants": {f"rival-{suffix}": {"keys": [RIVAL]}},
    }
