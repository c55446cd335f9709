"""Failing over: what each failure costs, who is asked, what never leaks, what the client hears."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.ledger.completion import Outcome, Receipt
from app.domain.routing.attempt import Verdict
from tests.e2e.canned import canned, lead_to, whole
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

CANARY = "a-secret-of-the-upstream"
FOREVER = -1


@dataclass(frozen=True, slots=True)
class Told:
    """What the client of one request was told."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def error(self) -> dict[str, Any]:
        """The error object."""
        error: dict[str, Any] = json.loads(self.text)["error"]
        return error

    @property
    def route(self) -> tuple[str, str, str]:
        """Deployment, spill reason and count of attempts."""
        names = ("deployment", "spill", "attempts")
        deployment, spill, attempts = (self.headers[f"x-spillgate-{name}"] for name in names)
        return deployment.rpartition("-")[0], spill, attempts

    async def receipt(self, team: Stack) -> Receipt:
        """The gateway's own record of it."""
        return await team.receipt(self.headers["x-request-id"])


async def ask(team: Stack, *, headers: dict[str, str] | None = None, **fields: Any) -> Told:
    """One chat completion."""
    message = {"role": "user", "content": "Hello"}
    body = {"model": "gpt-4o", "max_tokens": 8, "messages": [message]} | fields
    sent = {"api-key": team.key} | (headers or {})
    url = f"{team.base_url}/chat/completions"
    async with team.http.post(url, json=body, headers=sent) as answer:
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Told(answer.status, lowered, await answer.text())


async def asked(team: Stack) -> list[str]:
    """The deployments that were asked, in order of their answers."""
    return [row["deployment"].rpartition("-")[0] for row in await team.served()]


def in_a_row(suffix: str, *, count: int = 3, **fields: Any) -> dict[str, Any]:
    """Deployments a, b, c, … one behind the other; `fields` change the first one."""
    names = [f"{letter}-{suffix}" for letter in "abcdefgh"[:count]]
    usual: dict[str, Any] = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "deployment": "gpt-4o",
        "auth": {"api_key": "k"},
        "tpm": 100_000_000,
    }
    return {
        "deployments": {name: dict(usual) for name in names} | {names[0]: usual | fields},
        "models": {"gpt-4o": {"tiers": [[name] for name in names]}},
    }


MISSING = '{"error": {"code": "DeploymentNotFound", "message": "The API deployment is not there."}}'
TOO_LONG = '{"error": {"code": "context_length_exceeded", "message": "maximum is 1 token"}}'
FAILURES: dict[str, dict[str, Any]] = {
    "408": {"status": 408},
    "500": {"status": 500},
    "502 of a proxy": {"status": 502, "body": "<html>bad gateway</html>"},
    "503": {"status": 503},
    "redirect": {"status": 301, "headers": {"location": "http://127.0.0.1:9/"}},
    "401": {"status": 401},
    "401 of Azure": {"status": 401, "body": '{"error": {"code": "401", "message": "No."}}'},
    "403": {"status": 403},
    "404 of a missing deployment": {"status": 404, "body": MISSING},
    "no body": {"cut_after_bytes": 0},
    "cut body": {"cut_after_bytes": 20},
    "cut in the middle": {"cut_after_chunks": 0},
}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_served_by_the_next(
    redis_url: str, subtests: pytest.Subtests, *, stream: bool
) -> None:
    """Whatever fails before content; the one that failed is asked again by the next request."""
    async with stack(redis_url, in_a_row) as team:
        for name, fault in FAILURES.items():
            with subtests.test(name):
                await team.fault("a", **fault)
                told = await ask(team, stream=stream)
                assert told.status == 200
                assert told.route == ("b", "error", "2")
                assert told.text.endswith("data: [DONE]\n\n") == stream
                assert (await ask(team)).route == ("a", "none", "1")


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [("stream_error_first", Verdict.FAILED), ("in_stream_429", Verdict.THROTTLED)],
)
async def test_an_error_inside_a_chat_stream_before_its_content(
    redis_url: str, fault: str, verdict: Verdict
) -> None:
    """Status 200 does not make it an answer; the client sees one whole stream."""
    async with stack(redis_url, in_a_row) as team:
        await team.fault("a", **{fault: True})
        told = await ask(team, stream=True)
        spill = "throttled" if verdict is Verdict.THROTTLED else "error"
        assert (told.status, told.route) == (200, ("b", spill, "2"))
        assert '"error"' not in told.text
        assert (await told.receipt(team)).attempts[0].verdict is verdict


@pytest.mark.parametrize("code", ["invalid_image", "image_content_policy_violation", "bio_policy"])
async def test_an_error_in_a_stream_that_is_its_senders_fault(redis_url: str, code: str) -> None:
    """It is the answer, as the upstream told it; however many there are, nobody else notices."""
    error = {"code": code, "message": "The image could not be read."}
    created = {"type": "response.created", "response": {"id": "resp_1", "error": None}}
    failed = {"type": "response.failed", "response": {"id": "resp_1", "error": error}}
    said = "".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in (created, failed)
    )
    async with stack(redis_url, in_a_row) as team:
        await _on_all(team, status=200, body=said, content_type="text/event-stream")
        url, sent = f"{team.base_url}/responses", {"api-key": team.key}
        body = {"model": "gpt-4o", "stream": True, "input": "an image"}
        for _ in range(6):
            async with team.http.post(url, json=body, headers=sent) as answer:
                assert (answer.status, await answer.text()) == (200, said)
        assert await asked(team) == ["a"] * 6
        await team.reset()
        assert (await ask(team)).route == ("a", "none", "1")


async def test_an_error_before_the_content_holds_nobody(redis_url: str) -> None:
    """The next request goes where the stream failed."""
    async with stack(redis_url, in_a_row) as team:
        await team.fault("a", stream_error_first=True)
        assert (await ask(team, stream=True)).route == ("b", "error", "2")
        assert (await ask(team)).route == ("a", "none", "1")


async def test_a_throttle_inside_a_responses_stream_spills(redis_url: str) -> None:
    """Azure throttles streamed Responses with status 200; the SDK sees one response."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", in_stream_429=True)
        stream = await team.openai().responses.create(
            model="gpt-4o", input="Hello", stream=True, max_output_tokens=16
        )
        kinds = [event.type async for event in stream]
        assert kinds[0] == "response.created"
        assert kinds[-1] in {"response.completed", "response.incomplete"}
        assert kinds.count("response.created") == 1
        await eventually(lambda: team.receipts.kept)
        verdicts = [attempt.verdict for attempt in team.receipts.kept[0].attempts]
        assert verdicts == [Verdict.THROTTLED, Verdict.ACCEPT]


async def test_an_upstream_that_is_not_there_is_passed_over(redis_url: str) -> None:
    """A closed port is an attempt like any other."""
    async with stack(redis_url, in_a_row) as team:
        await lead_to(team, "a", "http://127.0.0.1:9")
        told = await ask(team)
        assert (told.status, told.route) == (200, ("b", "error", "2"))


async def test_a_throttled_ptu_is_held_and_the_request_served_elsewhere(redis_url: str) -> None:
    """The first request spills as `throttled`, the next as `held`, without asking the PTU."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", status=429, headers={"retry-after-ms": "60000"})
        first, second = await ask(team), await ask(team)
        assert (first.status, first.route[1:]) == (200, ("throttled", "2"))
        assert (second.status, second.route[1:]) == (200, ("held", "1"))
        assert (await asked(team)).count("ptu") == 1


async def test_a_hold_is_as_long_as_the_milliseconds_say(redis_url: str) -> None:
    """Not the rounded seconds; then the deployment is first again."""
    async with stack(redis_url, ptu_and_paygo) as team:
        waits = {"retry-after-ms": "300", "retry-after": "60"}
        await team.fault("ptu", status=429, headers=waits)
        began = time.monotonic()
        assert (await ask(team)).route[1:] == ("throttled", "2")
        await eventually(lambda: not _is_held(team, "ptu"))
        assert 0.3 <= time.monotonic() - began < 30
        while (told := await ask(team)).route[0] != "ptu":  # said to be full just now
            assert told.route[1] == "predicted"
            # It was a surprise: some margin is kept for a while.
            assert time.monotonic() - began < 30


async def test_a_shorter_wait_does_not_end_a_longer_hold(redis_url: str) -> None:
    """Two refusals cross: the later deadline of both stays."""
    async with stack(redis_url, in_a_row) as team:
        await team.fault("a", status=429, headers={"retry-after-ms": "60000"}, delay_ms=1000)
        await team.fault("a", status=429, headers={"retry-after-ms": "1"}, delay_ms=2000)
        both = await asyncio.gather(ask(team), ask(team))
        assert [told.route for told in both] == [("b", "throttled", "2")] * 2
        assert sorted(await asked(team)) == ["a", "a", "b", "b"]
        left = team.process.resources.holds.holds()[team.name("a")] - time.monotonic()
        assert 1 < left <= 60
        assert (await ask(team)).route == ("b", "held", "1")


async def test_a_refusal_while_all_are_held_asks_nobody(redis_url: str) -> None:
    """It says when the first hold ends, in both spellings; its receipt has no attempt."""
    async with stack(redis_url, in_a_row) as team:
        for name, wait_ms in (("a", 40_000), ("b", 20_000), ("c", 30_000)):
            await team.fault(name, status=429, headers={"retry-after-ms": str(wait_ms)})
        refusals = [await ask(team), await ask(team)]
        for told in refusals:
            assert (told.status, told.error["code"]) == (429, "rate_limit_exceeded")
            assert 1000 < int(told.headers["retry-after-ms"]) <= 20_000
            assert 1 < int(told.headers["retry-after"]) <= 20
            assert told.headers["x-should-retry"] == "true"
        assert await asked(team) == ["a", "b", "c"]
        receipt = await refusals[1].receipt(team)
        assert (receipt.outcome, receipt.attempts) == (Outcome.REFUSED, ())


async def test_our_own_configuration_is_not_the_clients_business(
    redis_url: str, subtests: pytest.Subtests
) -> None:
    """All deployments refuse the gateway: 502, never a 401, and not a word of theirs."""
    refusals = "401 401, 401 PermissionDenied, 403 Forbidden, 404 DeploymentNotFound"
    async with stack(redis_url, in_a_row) as team:
        for refusal in refusals.split(", "):
            with subtests.test(refusal):
                status, code = refusal.split()
                body = json.dumps({"error": {"code": code, "message": f"Key {CANARY} is wrong."}})
                await _well_again(team)
                await _on_all(team, status=int(status), body=body)
                told = await ask(team)
                assert (told.status, told.error["code"]) == (502, "upstream_auth_error")
                assert CANARY not in told.text + str(told.headers)
                assert await asked(team) == ["a", "b", "c"]
                receipt = await told.receipt(team)
                assert (receipt.outcome, receipt.status) == (Outcome.UPSTREAM_FAILED, 502)


async def test_a_404_of_the_request_itself_is_the_answer(redis_url: str) -> None:
    """Only the codes of a missing deployment are ours; others are asked for once."""
    async with stack(redis_url, in_a_row) as team:
        body = '{"error": {"code": "file_not_found", "message": "No such file."}}'
        await team.fault("a", status=404, body=body)
        told = await ask(team)
        assert (told.status, told.text) == (404, body)
        assert await asked(team) == ["a"]


async def test_a_path_that_a_deployment_lacks_is_left_out_alone(redis_url: str) -> None:
    """After five its operation is served elsewhere at once; others of the deployment go on."""
    body = '{"error": {"code": "404", "message": "Resource not found"}}'
    async with stack(redis_url, lambda suffix: in_a_row(suffix, count=2)) as team:
        await team.fault("a", status=404, body=body, times=5)
        for _ in range(6):
            await team.openai().responses.create(model="gpt-4o", input="Hi", max_output_tokens=16)
        assert (await asked(team)).count("a") == 5
        assert (await ask(team)).route == ("a", "none", "1")


async def test_too_long_a_prompt_goes_to_a_larger_window(redis_url: str) -> None:
    """One with the same window is passed by, a larger one serves."""
    async with stack(redis_url, _windows) as team:
        told = await ask(team, messages=[{"role": "user", "content": "word " * 200}])
        assert told.status == 200
        assert told.route[0] == "c"
        assert await asked(team) == ["a", "c"]


async def test_too_long_a_prompt_where_no_window_is_larger(redis_url: str) -> None:
    """Nobody else is asked, and the refusal is the answer, byte for byte."""
    async with stack(redis_url, in_a_row) as team:
        await team.fault("a", status=400, body=TOO_LONG)
        told = await ask(team)
        assert (told.status, told.text) == (400, TOO_LONG)
        assert await asked(team) == ["a"]


async def test_too_long_a_prompt_for_all_is_told_so(redis_url: str) -> None:
    """The last refusal, in the upstream's own words, as the SDK expects it."""
    async with stack(redis_url, _windows) as team:
        told = await ask(team, messages=[{"role": "user", "content": "word " * 2000}])
        assert (told.status, told.error["code"]) == (400, "context_length_exceeded")
        assert told.route[0] == "c"
        assert await asked(team) == ["a", "c"]


async def test_too_long_a_prompt_waits_for_a_larger_window_that_is_full(redis_url: str) -> None:
    """Nobody is told that it is too long, nor the time of those that are too small for it."""
    async with stack(redis_url, _windows) as team:
        await team.fault("a", status=400, body=TOO_LONG, times=FOREVER)
        await team.fault("c", status=429, headers={"retry-after-ms": "60000"})
        for _ in ("refused", "held"):
            told = await ask(team)
            assert (told.status, told.error["code"]) == (429, "rate_limit_exceeded")
            assert 1000 < int(told.headers["retry-after-ms"]) <= 60_000
        assert await asked(team) == ["a", "c", "a"]


async def test_three_failures_at_most(redis_url: str, subtests: pytest.Subtests) -> None:
    """Six deployments fail; the request stops at three, with an answer an SDK can read."""
    async with stack(redis_url, lambda suffix: in_a_row(suffix, count=6)) as team:
        for status in (408, 500, 503):
            with subtests.test(status=status):
                await _well_again(team)
                await _on_all(team, status=status)
                told = await ask(team)
                assert told.status == status
                assert set(told.error) >= {"message", "code"}
                assert await asked(team) == ["a", "b", "c"]


async def test_throttles_do_not_use_up_the_failures(redis_url: str) -> None:
    """Four refuse for want of room, two fail, one serves."""
    async with stack(redis_url, lambda suffix: in_a_row(suffix, count=7)) as team:
        for name, status in zip("abcdef", (429, 503, 429, 500, 429, 429), strict=True):
            await team.fault(name, status=status, headers={"retry-after-ms": "100"})
        told = await ask(team)
        assert (told.status, told.route) == (200, ("g", "throttled", "7"))


async def test_steering_headers_stop_at_the_gateway(redis_url: str) -> None:
    """An upstream sees its own key and what its API knows, nothing else of the tenant's."""
    answer = b'{"id": "x", "object": "chat.completion", "choices": []}'
    async with stack(redis_url, in_a_row) as team, canned(whole(answer)) as upstream:
        await lead_to(team, "a", upstream.url)
        steering = {
            "x-ms-spillover-deployment": "tenants-choice",
            "x-ms-client-request-id": "tenants-id",
            "x-forwarded-for": "10.0.0.1",
            "authorization": f"Bearer {team.key}",
            "connection": "x-hidden",
            "x-hidden": "hidden",
            "cookie": "a=b",
        }
        told = await ask(team, headers=steering)
        assert (told.status, told.text) == (200, answer.decode())
        head = upstream.heads[-1].lower()
        assert team.key.lower() not in head
        names = {line.partition(":")[0] for line in head.split("\r\n")[1:] if line}
        assert not names & (set(steering) - {"connection"})
        assert "\r\napi-key: k\r\n" in head


async def test_azures_own_spillover_is_read(redis_url: str) -> None:
    """A PTU that Azure itself relieved: the receipt names it, the client sees a spill."""
    async with stack(redis_url, ptu_and_paygo) as team:
        native = {
            "x-ms-spillover-from-deployment": "ptu-of-azure",
            "x-ms-deployment-name": "gpt-4o-spilled",
        }
        await team.fault("ptu", headers=native)
        told = await ask(team)
        assert told.route == ("ptu", "throttled", "1")
        first = (await told.receipt(team)).attempts[0]
        assert first.native_spillover_from == "ptu-of-azure"
        foreign = ("x-ratelimit", "x-ms-", "azureml-", "apim-", "strict-transport", "x-accel")
        assert not [name for name in told.headers if name.startswith(foreign)]


async def _well_again(team: Stack) -> None:
    """Nothing fails, and one request was served: retries may be paid for again."""
    await team.reset()
    assert (await ask(team)).status == 200
    await team.reset()


def _is_held(team: Stack, deployment: str) -> bool:
    until = team.process.resources.holds.holds().get(team.name(deployment), 0.0)
    return until > time.monotonic()


def _windows(suffix: str) -> dict[str, Any]:
    """Small, small, larger."""
    config = in_a_row(suffix, context_window=100)
    config["deployments"][f"b-{suffix}"]["context_window"] = 100
    config["deployments"][f"c-{suffix}"]["context_window"] = 1000
    return config


async def _on_all(team: Stack, *, times: int = FOREVER, **fault: Any) -> None:
    for name in team.process.current.settings.deployments:
        await team.fault(name.removesuffix(f"-{team.suffix}"), times=times, **fault)
