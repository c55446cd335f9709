"""Attempts that fail or are throttled move on, and the client is told the truth."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

CHAT: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 16,
}
AUTH_BODY = '{"error":{"code":"401","message":"Access denied: subscription key CANARY"}}'
MISSING = '{"error":{"code":"DeploymentNotFound","message":"The API deployment CANARY is not"}}'
TOO_LONG = '{"error":{"code":"context_length_exceeded","message":"maximum is 1 token"}}'


async def ask(team: Stack, **fields: Any) -> dict[str, str]:
    """One chat call; the headers of its answer."""
    raw = await team.openai().chat.completions.with_raw_response.create(**CHAT | fields)
    if not fields.get("stream"):
        raw.parse()
    return {name.lower(): value for name, value in raw.headers.items()}


async def test_a_throttled_ptu_is_held_and_the_request_served_elsewhere(redis_url: str) -> None:
    """The first request spills as `throttled`, the next as `held`, without asking the PTU."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", status=429, headers={"retry-after-ms": "60000"})
        first, second = await ask(team), await ask(team)
        assert first["x-spillgate-spill"] == "throttled"
        assert first["x-spillgate-attempts"] == "2"
        assert second["x-spillgate-spill"] == "held"
        assert second["x-spillgate-attempts"] == "1"
        asked = [row["deployment"] for row in await team.served()]
        assert asked.count(team.name("ptu")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503},
        {"status": 408},
        {"cut_after_bytes": 0},
        {"stream_error_first": True},
        {"status": 401, "body": AUTH_BODY},
        {"status": 403, "body": AUTH_BODY},
        {"status": 404, "body": MISSING},
    ],
    ids=str,
)
async def test_a_failed_attempt_is_served_elsewhere(redis_url: str, fault: dict[str, Any]) -> None:
    """The reason is `error`, and the PTU is asked again by the next request."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", **fault)
        first = await ask(team, stream=True)
        assert first["x-spillgate-deployment"] != team.name("ptu")
        assert first["x-spillgate-spill"] == "error"
        assert (await ask(team))["x-spillgate-deployment"] == team.name("ptu")


async def test_an_upstream_that_is_not_there_is_passed_over(redis_url: str) -> None:
    """A closed port is an attempt like any other."""
    async with stack(redis_url, ptu_and_paygo) as team:
        current = team.process.current.settings
        gone = current.deployments[team.name("ptu")].model_copy(
            update={"endpoint": "http://127.0.0.1:9"}
        )
        deployments = current.deployments | {gone.name: gone}
        await team.process.reload(current.model_copy(update={"deployments": deployments}))
        assert (await ask(team))["x-spillgate-spill"] == "error"


async def test_a_throttle_inside_a_responses_stream_spills(redis_url: str) -> None:
    """Azure throttles streamed Responses with status 200."""
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
        assert [attempt.verdict for attempt in team.receipts.kept[0].attempts] == [
            "throttled",
            "accept",
        ]


async def test_when_all_are_held_the_refusal_says_for_how_long(redis_url: str) -> None:
    """The earliest end of a hold, in both spellings; and no upstream is asked."""
    async with stack(redis_url, ptu_and_paygo) as team:
        for name, wait_ms in (("ptu", 40_000), ("paygo-a", 20_000), ("paygo-b", 30_000)):
            await team.fault(name, status=429, headers={"retry-after-ms": str(wait_ms)})
        for asked in (3, 3):
            with pytest.raises(openai.RateLimitError) as raised:
                await ask(team)
            headers = raised.value.response.headers
            assert 15_000 < int(headers["retry-after-ms"]) <= 20_000
            assert 15 < int(headers["retry-after"]) <= 20
            assert headers["x-should-retry"] == "true"
            assert raised.value.code == "rate_limit_exceeded"
            assert len(await team.served()) == asked


async def test_a_longer_hold_stays(redis_url: str) -> None:
    """`max(known, now + retry-after)`: a later, shorter wait does not shorten it."""
    async with stack(redis_url, ptu_and_paygo) as team:
        holds, now = team.process.resources.holds, team.process.resources.clock.now()
        holds.hold(team.name("ptu"), now + 60)
        holds.hold(team.name("ptu"), now + 1)
        assert holds.holds()[team.name("ptu")] >= now + 60


@pytest.mark.parametrize("body", [AUTH_BODY, MISSING])
async def test_what_concerns_our_own_credential_is_not_shown(redis_url: str, body: str) -> None:
    """The tenant's key is fine: 502, in our own words."""
    status = 404 if body is MISSING else 401
    async with stack(redis_url, ptu_and_paygo) as team:
        for name in ("ptu", "paygo-a", "paygo-b"):
            await team.fault(name, status=status, body=body)
        with pytest.raises(openai.InternalServerError) as raised:
            await ask(team)
        assert raised.value.status_code == 502
        assert raised.value.code == "upstream_auth_error"
        assert "CANARY" not in raised.value.response.text


async def test_three_failures_end_the_search(redis_url: str) -> None:
    """However many deployments there are; what the last one said is passed on."""

    def four(suffix: str) -> dict[str, Any]:
        config = ptu_and_paygo(suffix)
        extra = config["deployments"][f"paygo-a-{suffix}"]
        config["deployments"][f"paygo-c-{suffix}"] = extra
        config["models"]["gpt-4o"]["tiers"].append([f"paygo-c-{suffix}"])
        return config

    async with stack(redis_url, four) as team:
        for name in ("ptu", "paygo-a", "paygo-b", "paygo-c"):
            await team.fault(name, status=503)
        with pytest.raises(openai.InternalServerError) as raised:
            await ask(team)
        assert raised.value.status_code == 503
        assert len(await team.served()) == 3


async def test_too_long_goes_to_a_larger_window_only(redis_url: str) -> None:
    """Windows are equal here, so the refusal is the answer, verbatim."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await team.fault("ptu", status=400, body=TOO_LONG)
        with pytest.raises(openai.BadRequestError) as raised:
            await ask(team)
        assert raised.value.code == "context_length_exceeded"
        assert raised.value.response.text == TOO_LONG
        assert len(await team.served()) == 1


async def test_silence_before_headers_moves_on(redis_url: str) -> None:
    """Within the first-byte limit of the deployment."""
    impatient = {"timeouts": {"first_byte_s": 0.2, "drain_lag_s": 0, "drain_s": 1}}
    async with stack(redis_url, lambda suffix: ptu_and_paygo(suffix) | impatient) as team:
        await team.fault("ptu", delay_ms=5000)
        assert (await ask(team))["x-spillgate-spill"] == "error"
