"""Whatever callers write, the number of series stays what the configuration makes it."""

from __future__ import annotations

import asyncio
import json
import random
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from app.api.call import Head
from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack
from tests.fakes.line import FakeLine

#: Requests whose every word is drawn, and how many are under way at a time.
REQUESTS: Final = 10_000
AT_A_TIME: Final = 50
#: What random requests may still find: a status or an error that no request before them had.
MOST_NEW: Final = 5
_LETTERS: Final = string.ascii_letters + string.digits + "-_.~/{}\"'\\ ="


@dataclass(frozen=True, slots=True)
class Asked:
    """One request."""

    method: str = "POST"
    path: str = "/v1/chat/completions"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


class Caller:
    """Writes requests of which nothing is known before."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._random = random.Random(7)  # no secret

    def word(self, most: int = 40) -> str:
        drawn = self._random
        return "".join(drawn.choices(_LETTERS, k=drawn.randint(1, most)))

    def stranger(self) -> Asked:
        """With a key that nobody has, or none."""
        keys = {"authorization": f"Bearer {self.word()}", "api-key": self.word()}
        named = self._random.choice([keys, {}, {"api-key": f"spg_test_{self.word()}"}])
        return Asked(headers=named, body=self._body(model=self.word()))

    def lost(self) -> Asked:
        """At a path that there is not."""
        method = self._random.choice(["GET", "POST", "PUT", "DELETE"])
        return Asked(method, f"/{self.word(80)}", self._headers())

    def wishful(self) -> Asked:
        """For a model that there is not, by its body or its path."""
        path = f"/openai/deployments/{self._random.randrange(10**9)}/chat/completions"
        chosen = self._random.choice([path, "/v1/chat/completions"])
        return Asked(path=chosen, headers=self._headers(), body=self._body(model=self.word()))

    def odd(self) -> Asked:
        """With a body or a tag that is none."""
        headers = self._headers() | {"x-spillgate-tags": self.word()}
        return Asked(headers=headers, body={self.word(): self.word()})

    def good(self) -> Asked:
        """That is answered, from a deployment or from the cache."""
        return Asked(headers=self._headers(), body=self._body(model="gpt-4o"))

    def requests(self, count: int) -> Iterator[Asked]:
        """Nine in ten are refused."""
        kinds = [self.stranger] * 3 + [self.lost] * 2 + [self.wishful] * 3 + [self.odd, self.good]
        for _ in range(count):
            yield self._random.choice(kinds)()

    def one_of_each(self) -> list[Asked]:
        several = [self.stranger, self.lost, self.wishful, self.odd, self.good]
        return [kind() for kind in several for _ in range(3)]

    def _headers(self) -> dict[str, str]:
        directive = self._random.choice(["no-store", "no-cache", f"max-age={self.word(3)}", ""])
        return {
            "authorization": f"Bearer {self._key}",
            "cache-control": f"{directive}, {self.word()}",
            "x-request-id": self.word(),
            "traceparent": self.word(),
            "user-agent": self.word(),
        }

    def _body(self, model: str) -> dict[str, Any]:
        message = {"role": "user", "content": self.word()}
        return {"model": model, "messages": [message], "user": self.word(), "max_tokens": 4,
                "metadata": {"team": self.word()}}  # fmt: skip


async def answered(team: Stack, asked: Asked) -> int:
    """The status that the gateway answers with."""
    plane, line = team.process.data_plane, FakeLine(reads=True)
    head = Head(asked.method, asked.path, "", dict(asked.headers))
    call = plane.call(head, line)
    call.feed(json.dumps(asked.body).encode())
    call.ends()
    await plane.serve(call)
    return line.status


async def series(team: Stack) -> set[str]:
    """Every series, by its name and labels."""
    async with team.http.get(f"{team.process.admin_url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def config(suffix: str) -> dict[str, Any]:
    return ptu_and_paygo(suffix) | {"cache": {"exact": {"enabled": True}}}


async def test_what_callers_write_makes_no_series(redis_url: str) -> None:
    """Paths, models, users, keys, directives, tags, ids: 10,000 of each kind of nonsense."""
    async with stack(redis_url, config) as team:
        caller, statuses = Caller(team.key), Counter[int]()
        for asked in caller.one_of_each():
            await answered(team, asked)
        before = await series(team)
        requests = caller.requests(REQUESTS)

        async def keep_asking() -> None:
            for asked in requests:
                statuses[await answered(team, asked)] += 1

        async with asyncio.timeout(10 * DEADLINE_S), asyncio.TaskGroup() as tasks:
            for _ in range(AT_A_TIME):
                tasks.create_task(keep_asking())
        assert statuses.total() == REQUESTS
        assert statuses[200] > REQUESTS / 20, statuses
        assert {400, 401, 404} <= statuses.keys(), statuses
        new = await series(team) - before
        assert len(new) <= MOST_NEW, sorted(new)
