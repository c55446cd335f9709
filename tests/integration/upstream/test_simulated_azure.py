"""Deployments of each API, called as the gateway calls them, on the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.adapters.azure.credentials import ApiKeyCredential
from app.adapters.azure.deployments import AzureOpenAI
from app.adapters.upstream import HttpTransport
from app.domain.routing.deployment import Api, Deployment, Kind
from app.ports import UpstreamResponse
from app.simulator.deployment import SimulatedDeployment
from app.simulator.server import serve_simulator
from app.wire.openai import read_request
from app.wire.routes import match

KEY = "simulated-key"


def simulated(api: Api) -> SimulatedDeployment:
    return SimulatedDeployment(
        name=api.value,
        kind="paygo",
        model="gpt-4o",
        deployment="gpt-4o-deployed",
        api=api.value,
        api_key=KEY,
        ptus=None,
        tpm=None,
        rpm=None,
        input_tpm_per_ptu=0.0,
        output_ratio=4.0,
        ttft_ms=0,
        tpot_ms=0,
    )


def deployment(base_url: str, api: Api) -> Deployment:
    endpoint = f"{base_url}/{api.value}"
    return Deployment(
        name=api.value,
        kind=Kind.PAYGO,
        endpoint=f"{endpoint}/v1" if api is Api.OPENAI else endpoint,
        api=api,
        azure_name="gpt-4o-deployed",
        model="gpt-4o",
        api_version="2024-10-21" if api is Api.CLASSIC else "",
    )


@pytest.fixture
async def simulator() -> AsyncIterator[str]:
    async with serve_simulator([simulated(api) for api in Api]) as url:
        yield url


async def ask(simulator: str, api: Api, transport: HttpTransport, key: str) -> UpstreamResponse:
    route = match("POST", "/v1/chat/completions", "")
    messages = b'[{"role":"user","content":"Hi"}]'
    body = b'{"model":"gpt-4o","stream":true,"max_tokens":20,"messages":' + messages + b"}"
    upstream = AzureOpenAI(transport, {api.value: ApiKeyCredential(key, api)})
    return await upstream.open(deployment(simulator, api), read_request(route, body), {})


@pytest.mark.parametrize("api", Api)
async def test_each_api_streams_with_usage(simulator: str, api: Api) -> None:
    """URL, credential, model name and the added usage frame are what the API expects."""
    async with HttpTransport() as transport:
        answer = await ask(simulator, api, transport, KEY)
        parts = []
        while data := await answer.read(5.0):
            parts.append(data)
        answer.close()

    stream = b"".join(parts)
    assert (answer.status, answer.headers["content-type"][:17]) == (200, "text/event-stream")
    assert b'"usage":{"' in stream.replace(b" ", b"")
    assert stream.rstrip().endswith(b"data: [DONE]")


@pytest.mark.parametrize("api", Api)
async def test_a_wrong_key_is_an_answer(simulator: str, api: Api) -> None:
    """A key cannot be refreshed: the refusal is handed over to be judged."""
    async with HttpTransport() as transport:
        answer = await ask(simulator, api, transport, "wrong")
        assert b'"error"' in await answer.read(5.0)
        answer.close()

    assert answer.status == 401
