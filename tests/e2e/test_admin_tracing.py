"""Requests of the admin API in the traces that a receiver gets."""

from __future__ import annotations

from typing import Any

from tests.e2e.stack import Stack, ptu_and_paygo, stack
from tests.fakes.trace_receiver import trace_receiver

OWNER = "an-admin-key-of-tests"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def test_that_the_admin_api_is_traced_where_the_data_plane_is(redis_url: str) -> None:
    """The same service and trace; no key in any span, though one was shown and one was made.

    Strangers' flags make no spans.
    """
    async with trace_receiver() as receiver:
        tracing = {
            "endpoint": receiver.url,
            "sample": 1,
            "caller_sample": 1,
            "export": {"delay_s": 0.05, "close_s": 10},
        }

        def config(suffix: str) -> dict[str, Any]:
            return ptu_and_paygo(suffix) | {"tracing": tracing}

        async with stack(redis_url, config) as team:
            await _knock(team, times=50)
            made = await _new_key(team)
            await receiver.until(lambda: len(receiver.spans) > 0)
            await team.http.get(f"{team.process.admin_url}/healthz")
        (span,) = receiver.spans
    assert span.name == "POST /admin/v1/tenants/{name}/keys"
    assert (span.trace_id, span.parent_id, span.kind) == (TRACE, CALLER, "server")
    assert span.service["service.name"] == "spillgate"
    assert span.attributes["http.request.method"] == "POST"
    assert span.attributes["http.response.status_code"] == 201
    told = repr(receiver.spans)
    assert made not in told
    assert OWNER not in told


async def _knock(team: Stack, times: int) -> None:
    """Without a key, with a trace that is recorded and much to pass on."""
    headers = {
        "traceparent": f"00-{'f' * 32}-{CALLER}-01",
        "tracestate": ",".join(f"k{number}={'x' * 200}" for number in range(30)),
    }
    for _ in range(times):
        url = f"{team.process.admin_url}/admin/v1/me"
        async with team.http.get(url, headers=headers) as answer:
            assert answer.status == 401, await answer.text()


async def _new_key(team: Stack) -> str:
    headers = {
        "authorization": f"Bearer {OWNER}",
        "traceparent": f"00-{TRACE}-{CALLER}-01",
    }
    url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}/keys"
    async with team.http.post(url, json={}, headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        key: str = (await answer.json())["data"]["key"]
        return key
