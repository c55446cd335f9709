"""Streams cut at every chunk: another deployment before the content, an honest error after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import openai
import pytest

from app.domain.ledger.completion import Outcome, Receipt
from app.domain.routing.attempt import Verdict
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

CAP = 12
PROMPT = "Say a few words."
#: How an upstream's side of a request ended, by how the gateway says that the whole did.
ENDS = {Outcome.FINISHED: "complete", Outcome.UPSTREAM_ABORTED: "error"}
CUTS: dict[str, dict[str, Any]] = {"cut": {}, "half_close": {"half_close": True}}


@dataclass(slots=True)
class Read:
    """What an SDK made of a stream before it ended or raised."""

    text: str = ""
    ended: bool = False
    chunks: int = 0
    error: openai.APIError | None = None
    ids: set[str] = field(default_factory=set)


class Api(Protocol):
    """One API, streamed through the SDK, and as bytes."""

    path: str
    body: dict[str, Any]

    async def read(self, team: Stack) -> Read:
        """Read a stream to wherever it gets."""
        ...


class Chat:
    """Chat completions."""

    path = "/chat/completions"
    body: dict[str, Any] = {  # noqa: RUF012  # read only
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": CAP,
        "stream": True,
    }

    async def read(self, team: Stack) -> Read:
        read = Read()
        try:
            async for chunk in await team.openai().chat.completions.create(**self.body):
                read.ids |= {chunk.id} - {""}
                for choice in chunk.choices:
                    read.text += choice.delta.content or ""
                    read.chunks += bool(choice.delta.content)
                    read.ended |= choice.finish_reason is not None
        except openai.APIError as error:
            read.error = error
        return read


class Responses:
    """The Responses API."""

    path = "/responses"
    body: dict[str, Any] = {  # noqa: RUF012  # read only
        "model": "gpt-4o",
        "input": PROMPT,
        "max_output_tokens": CAP,
        "stream": True,
    }

    async def read(self, team: Stack) -> Read:
        read = Read()
        try:
            async for event in await team.openai().responses.create(**self.body):
                if event.type == "response.output_text.delta":
                    read.text += event.delta
                    read.chunks += 1
                if event.type == "response.created":
                    read.ids.add(event.response.id)
                read.ended |= event.type in {"response.completed", "response.incomplete"}
        except openai.APIError as error:
            read.error = error
        return read


@pytest.mark.parametrize("api", [Chat(), Responses()], ids=["chat", "responses"])
@pytest.mark.parametrize("how", CUTS)
async def test_a_stream_cut_at_every_chunk(
    redis_url: str, subtests: pytest.Subtests, api: Api, how: str
) -> None:
    """Before the content another deployment serves; after it the SDK raises on a true prefix."""
    async with stack(redis_url, never_kept_out) as team:
        whole = await api.read(team)
        assert whole.ended
        assert whole.error is None
        assert whole.chunks > 2
        await eventually(lambda: team.receipts.kept)
        for cut in range(whole.chunks + 1):
            with subtests.test(cut=cut):
                await team.reset()
                await team.fault("ptu", cut_after_chunks=cut, **CUTS[how])
                read = await api.read(team)
                assert len(read.ids) == 1
                await eventually(lambda: team.receipts.kept)
                (receipt,) = team.receipts.kept
                rows = await team.served()
                asked = [row["deployment"] for row in rows]
                _both_records_agree(rows, receipt)
                if cut == 0:
                    _served_elsewhere(team, read, whole, asked)
                    assert receipt.outcome is Outcome.FINISHED
                else:
                    assert asked == [team.name("ptu")]
                    _honest(read, whole, cut)
                    assert receipt.outcome is Outcome.UPSTREAM_ABORTED
                    assert receipt.error == "upstream_disconnected"


@pytest.mark.parametrize("api", [Chat(), Responses()], ids=["chat", "responses"])
async def test_nothing_is_invented_on_the_wire(
    redis_url: str, subtests: pytest.Subtests, api: Api
) -> None:
    """After the break one error event comes, in its API's form, and the message ends properly."""
    async with stack(redis_url, ptu_and_paygo) as team:
        chunks = (await api.read(team)).chunks
        for cut in range(1, chunks + 1):
            with subtests.test(cut=cut):
                await team.fault("ptu", cut_after_chunks=cut)
                body = await _bytes(team, api)
                assert b"[DONE]" not in body
                assert b'"finish_reason":"' not in body
                assert b"response.completed" not in body
                assert b"response.incomplete" not in body
                assert body.count(b'"error":{') == 1
                last = body.removesuffix(b"\n\n").split(b"\n\n")[-1]
                assert b'"code":"upstream_disconnected"' in last
                assert last.startswith(b"event: error\ndata: ") == (api.path == "/responses")


def never_kept_out(suffix: str) -> dict[str, Any]:
    """However often its streams are cut, the PTU is asked first."""
    return ptu_and_paygo(suffix) | {"routing": {"health": {"failures_in_a_row": 1_000_000}}}


@pytest.mark.parametrize("api", [Chat(), Responses()], ids=["chat", "responses"])
async def test_a_stream_cut_at_every_hundredth_byte(redis_url: str, api: Api) -> None:
    """Wherever a frame is torn, what the client has is a prefix; no half frame is passed on."""
    async with stack(redis_url, never_kept_out) as team:
        whole = await api.read(team)
        size = len(await _bytes(team, api))
        outcomes = set()
        await eventually(lambda: len(team.receipts.kept) == 2)
        for cut in range(1, size - 100, 101):
            await team.reset()
            await team.fault("ptu", cut_after_bytes=cut)
            read = await api.read(team)
            await eventually(lambda: team.receipts.kept)
            rows = await team.served()
            _both_records_agree(rows, team.receipts.kept[0])
            spilled = len(rows) == 2
            assert read.text == whole.text[: len(read.text)], cut
            if spilled:
                assert (read.text, read.error) == (whole.text, None), cut
            elif read.error is None:  # all but the last bytes had come
                assert (read.text, read.ended) == (whole.text, True), cut
            outcomes.add((spilled, read.error is not None))
        assert outcomes >= {(True, False), (False, True)}


async def test_a_cut_answer_that_does_not_stream_is_served_elsewhere(redis_url: str) -> None:
    """Nothing of it had reached the client."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", cut_after_chunks=1)
        message: Any = {"role": "user", "content": PROMPT}
        answer = await team.openai().chat.completions.with_raw_response.create(
            model="gpt-4o", messages=[message], max_tokens=CAP
        )
        assert answer.headers["x-spillgate-spill"] == "error"
        assert answer.parse().choices[0].message.content


def _both_records_agree(rows: list[dict[str, Any]], receipt: Receipt) -> None:
    """The simulator's ledger and the gateway's receipt tell the same of one request."""
    asked = [(attempt.deployment, attempt.status) for attempt in receipt.attempts]
    assert [(row["deployment"], row["status"]) for row in rows] == asked
    *passed_over, served = rows
    verdicts = [attempt.verdict for attempt in receipt.attempts]
    assert verdicts == [Verdict.FAILED] * len(passed_over) + [Verdict.ACCEPT]
    assert [row["outcome"] for row in passed_over] == ["error"] * len(passed_over)
    assert served["deployment"] == receipt.deployment
    assert served["outcome"] == ENDS[receipt.outcome]
    if receipt.outcome is Outcome.FINISHED:
        assert receipt.usage is not None
        counted = (receipt.usage.input, receipt.usage.output)
        assert counted == (served["input_tokens"], served["output_tokens"])


def _served_elsewhere(team: Stack, read: Read, whole: Read, asked: list[str]) -> None:
    assert read.error is None
    assert (read.text, read.ended) == (whole.text, True)
    assert len(asked) == 2
    assert asked[0] == team.name("ptu")
    assert asked[1] != team.name("ptu")


def _honest(read: Read, whole: Read, cut: int) -> None:
    assert isinstance(read.error, openai.APIError)
    assert not read.ended
    assert read.chunks == cut
    assert whole.text.startswith(read.text)


async def _bytes(team: Stack, api: Api) -> bytes:
    headers = {"api-key": team.key}
    async with team.http.post(team.base_url + api.path, json=api.body, headers=headers) as answer:
        assert answer.status == 200
        return await answer.read()
