"""Every refusal has OpenAI's shape and the headers SDKs act on, and they raise the right class."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import openai
import pytest

from app.cli.key import new_key
from app.domain.ledger.completion import Outcome
from tests.e2e.raw import chat, exchange, request
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

FOREVER = -1
MESSAGE: Any = {"role": "user", "content": "Hi"}
CANARY = "words-of-the-upstream"
FIELDS = {"message", "type", "param", "code"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What a client is told, and what its SDK makes of it."""

    status: int
    kind: str
    code: str | None
    raised: type[openai.APIStatusError]
    param: str | None = None
    should_retry: str | None = None
    outcome: Outcome = Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class Case:
    """How a refusal is brought about: a body, a path, a method, faults on every deployment."""

    expected: Expected
    body: Mapping[str, Any] = field(default_factory=dict)
    path: str = "/chat/completions"
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Mapping[str, Any] | None = None


INVALID = "invalid_request_error"
BAD_GATEWAY = Expected(
    502, "server_error", "upstream_error", openai.InternalServerError,
    outcome=Outcome.UPSTREAM_FAILED,
)  # fmt: skip

CASES: dict[str, Case] = {
    "400": Case(
        Expected(400, INVALID, "invalid_value", openai.BadRequestError, param="model"),
        body={"model": 1},
    ),
    "400, no such previous response": Case(
        Expected(
            400, INVALID, "previous_response_not_found", openai.BadRequestError,
            param="previous_response_id",
        ),
        body={"previous_response_id": "resp_x", "input": "Hi"},
        path="/responses",
    ),
    "401": Case(
        Expected(401, INVALID, "invalid_api_key", openai.AuthenticationError),
        headers={"authorization": "Bearer wrong"},
    ),
    "404, model": Case(
        Expected(404, INVALID, "model_not_found", openai.NotFoundError), body={"model": "none"}
    ),
    "404, response": Case(
        Expected(404, INVALID, None, openai.NotFoundError),
        path="/responses/resp_x",
        method="GET",
    ),
    "404, path": Case(
        Expected(404, INVALID, "unknown_url", openai.NotFoundError), path="/audio/speech"
    ),
    "405": Case(
        Expected(405, INVALID, "method_not_allowed", openai.APIStatusError), method="DELETE"
    ),
    "413": Case(
        Expected(413, INVALID, "request_too_large", openai.APIStatusError),
        body={"user": "u" * 3000},
    ),
    "415": Case(
        Expected(
            415, INVALID, "unsupported_content_encoding", openai.APIStatusError,
            param="content-encoding",
        ),
        headers={"content-encoding": "gzip"},
    ),
    "502, a page of html": Case(BAD_GATEWAY, fault={"status": 502, "body": f"<p>{CANARY}</p>"}),
    "502, our own key": Case(
        Expected(
            502, "server_error", "upstream_auth_error", openai.InternalServerError,
            outcome=Outcome.UPSTREAM_FAILED,
        ),
        fault={"status": 401, "body": f'{{"error": {{"code": "401", "message": "{CANARY}"}}}}'},
    ),
    "502, cut": Case(
        Expected(
            502, "server_error", "upstream_disconnected", openai.InternalServerError,
            outcome=Outcome.UPSTREAM_FAILED,
        ),
        fault={"cut_after_bytes": 10},
    ),
    "504": Case(
        Expected(
            504, "server_error", "upstream_timeout", openai.InternalServerError,
            should_retry="false",
            outcome=Outcome.UPSTREAM_FAILED,
        ),
        fault={"delay_ms": 5000},
    ),
    "429": Case(
        Expected(
            429, "rate_limit_error", "rate_limit_exceeded", openai.RateLimitError,
            should_retry="true",
        ),
        fault={"status": 429, "headers": {"retry-after-ms": "900"}},
    ),
}  # fmt: skip


def small(suffix: str) -> dict[str, Any]:
    """Bodies of 2 KiB at most, upstreams that have 3 s for an answer, two deployments."""
    config = ptu_and_paygo(suffix)
    config["deployments"].pop(f"paygo-b-{suffix}")
    config["models"]["gpt-4o"]["tiers"] = [[f"ptu-{suffix}"], [f"paygo-a-{suffix}"]]
    return config | {
        "limits": {"max_body_bytes": 2048},
        "timeouts": {"first_byte_s": 1, "total_s": 3, "drain_lag_s": 0, "drain_s": 1},
    }


def one_at_once(suffix: str) -> dict[str, Any]:
    """A replica that is full with one request."""
    patient = {"timeouts": {"drain_lag_s": 0, "drain_s": 1}}
    return small(suffix) | {"limits": {"max_in_flight": 1}} | patient


def without_redis(suffix: str) -> dict[str, Any]:
    """Nobody listens where the shared state should be."""
    return ptu_and_paygo(suffix) | {"redis": {"url": "redis://127.0.0.1:1/0"}}


async def test_refusals(redis_url: str, subtests: pytest.Subtests) -> None:
    """Four fields and no more, an id that the receipt has too, and when to come back."""
    async with stack(redis_url, small) as team:
        for name, case in CASES.items():
            with subtests.test(name):
                await _prepare(team, case)
                async with _asked(team, case) as answer:
                    await _is_right(team, case.expected, answer)
        await _prepare(team, Case(BAD_GATEWAY))
        async with _asked(team, Case(BAD_GATEWAY)) as answer:
            assert answer.status == 200


async def test_what_the_sdk_raises(redis_url: str, subtests: pytest.Subtests) -> None:
    """The class for the status, with code, param and request id where SDK users look for them."""
    async with stack(redis_url, small) as team:
        for name, case in CASES.items():
            if case.method != "POST":
                continue
            with subtests.test(name):
                await _prepare(team, case)
                error = await _raised(team, case)
                assert type(error) is case.expected.raised
                assert error.status_code == case.expected.status
                assert (error.code, error.param) == (case.expected.code, case.expected.param)
                assert error.type == case.expected.kind
                assert error.request_id
                assert (await team.receipt(error.request_id)).status == case.expected.status


async def test_streams_are_refused_like_anything_else(
    redis_url: str, subtests: pytest.Subtests
) -> None:
    """Before the first byte a stream's refusal is a status and JSON, not an event."""
    async with stack(redis_url, small) as team:
        for name, case in CASES.items():
            if case.method != "POST" or name == "502, cut":  # that many bytes of a stream are none
                continue
            with subtests.test(name):
                await _prepare(team, case)
                streaming = Case(
                    case.expected, {"stream": True} | dict(case.body), case.path, case.method,
                    case.headers, case.fault,
                )  # fmt: skip
                async with _asked(team, streaming) as answer:
                    await _is_right(team, case.expected, answer)


async def test_the_sdk_waits_as_it_is_told(redis_url: str) -> None:
    """All are held for a second and a half: its retry comes after that, and is served."""
    async with stack(redis_url, small) as team:
        await _all(team, {"status": 429, "headers": {"retry-after-ms": "1500"}}, times=1)
        answer = await team.openai(max_retries=2).chat.completions.create(
            model="gpt-4o", messages=[MESSAGE], max_tokens=4
        )
        assert answer.choices
        await eventually(lambda: len(team.receipts.kept) == 2)
        first, second = team.receipts.kept
        assert (first.status, second.status) == (429, 200)
        assert 1.4 < second.started_at - first.started_at < 30


@pytest.mark.parametrize("status", [401, 404, 422, 400])
async def test_an_upstreams_refusal_of_the_request_is_passed_on(
    redis_url: str, status: int
) -> None:
    """Its own words and status, once; only where they concern us they are not."""
    body = json.dumps({"error": {"message": "no", "type": INVALID, "param": "x", "code": "odd"}})
    async with stack(redis_url, small) as team:
        await _all(team, {"status": status, "body": body})
        async with _asked(team, Case(BAD_GATEWAY)) as answer:
            text = await answer.text()
        if status == 401:
            assert (answer.status, json.loads(text)["error"]["code"]) == (
                502,
                "upstream_auth_error",
            )
        else:
            assert (answer.status, text) == (status, body)
            assert len(await team.served()) == 1


async def test_too_many_at_once(redis_url: str) -> None:
    """The one too many is told to retry; the first one is served."""
    async with stack(redis_url, one_at_once) as team, asyncio.TaskGroup() as tasks:
        await _all(team, {"delay_ms": 3000}, times=1)
        first = tasks.create_task(_status(team))
        await eventually(lambda: team.process.data_plane._in_flight)  # noqa: SLF001  # nothing else shows it
        with pytest.raises(openai.InternalServerError) as caught:
            await team.openai().chat.completions.create(model="gpt-4o", messages=[MESSAGE])
        error = caught.value
        assert (error.status_code, error.code) == (503, "gateway_overloaded")
        assert error.response.headers["x-should-retry"] == "true"
        assert error.response.headers["retry-after-ms"] == "1000"
        assert await first == 200


async def test_no_redis_and_nothing_known(redis_url: str) -> None:
    """Whose response it is cannot be told: 503, not a 404 that would be a lie; chat goes on."""
    async with stack(redis_url, without_redis) as team:
        with pytest.raises(openai.InternalServerError) as caught:
            await team.openai().responses.retrieve("resp_x")
        assert (caught.value.status_code, caught.value.code) == (503, "store_unavailable")
        answer = await team.openai().chat.completions.create(
            model="gpt-4o", messages=[MESSAGE], max_tokens=4
        )
        assert answer.choices


async def test_invalid_http_has_a_request_id_too(redis_url: str) -> None:
    """The one refusal that no request stands behind; its user still needs something to quote."""
    async with stack(redis_url, ptu_and_paygo) as team:
        answer = await exchange(team, b"hello\r\n\r\n")
        assert (answer.status, answer.error["code"]) == (400, "invalid_http")
        assert set(answer.error) == FIELDS
        assert answer.headers.get("x-request-id")


async def test_the_key_of_a_tenant_is_not_repeated(redis_url: str) -> None:
    """A wrong key, a key in the wrong place: the refusal holds none of it."""
    async with stack(redis_url, ptu_and_paygo) as team:
        wrong = new_key("live")
        for headers in ((("api-key", wrong),), (("authorization", f"Bearer {wrong}"),)):
            answer = await exchange(team, request(chat(), headers=headers))
            assert answer.status == 401
            assert wrong[:12].encode() not in answer.body


async def _prepare(team: Stack, case: Case) -> None:
    """Nothing of an earlier case is left; the fault is on every deployment."""
    await team.reset()
    holds = team.process.resources.holds
    await eventually(lambda: all(until < time.monotonic() for until in holds.holds().values()))
    if case.fault is not None:
        await _all(team, case.fault, times=FOREVER)


async def _all(team: Stack, fault: Mapping[str, Any], *, times: int = 1) -> None:
    for deployment in ("ptu", "paygo-a"):
        await team.fault(deployment, **fault, times=times)


def _asked(team: Stack, case: Case) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    headers = {"authorization": f"Bearer {team.key}"} | dict(case.headers)
    return team.http.request(
        case.method, team.base_url + case.path, json=_body(case), headers=headers
    )


def _body(case: Case) -> dict[str, Any]:
    usual = {"model": "gpt-4o", "messages": [MESSAGE], "max_tokens": 4}
    return usual | dict(case.body)


async def _status(team: Stack) -> int:
    async with _asked(team, Case(BAD_GATEWAY)) as answer:
        return answer.status


async def _raised(team: Stack, case: Case) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await team.openai().post(
            case.path, cast_to=object, body=_body(case), options={"headers": dict(case.headers)}
        )
    return caught.value


async def _is_right(team: Stack, expected: Expected, answer: aiohttp.ClientResponse) -> None:
    text, headers = await answer.text(), answer.headers
    assert answer.status == expected.status, text
    assert headers["content-type"] == "application/json"
    error = json.loads(text)["error"]
    assert set(error) == FIELDS
    assert error["message"]
    assert (error["type"], error["code"]) == (expected.kind, expected.code)
    assert error["param"] == expected.param
    assert headers.get("x-should-retry") == expected.should_retry
    assert ("retry-after-ms" in headers) == ("retry-after" in headers) == (answer.status == 429)
    if answer.status == 429:
        assert 0 < int(headers["retry-after-ms"]) <= 900
        assert headers["retry-after"] == "1"
    receipt = await team.receipt(headers["x-request-id"])
    assert (receipt.status, receipt.outcome) == (expected.status, expected.outcome)
    assert receipt.error
    for secret in (team.key, CANARY):
        assert secret not in text + str(headers)
