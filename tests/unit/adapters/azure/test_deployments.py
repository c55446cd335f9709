from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import AccessToken

from app.adapters.azure.credentials import ApiKeyCredential
from app.adapters.azure.deployments import AzureOpenAI
from app.adapters.azure.entra import EntraCredential
from app.adapters.upstream.read_by_read import ReadByRead
from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Api, Deployment, Kind, Timeouts
from app.errors import UpstreamMisconfigured
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.clock import FakeClock

ENDPOINT = "https://contoso.openai.azure.com"


@dataclass
class Answer(ReadByRead):
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    closed: bool = False

    async def read(self, patience_s: float) -> bytes:
        return b""

    def close(self) -> None:
        self.closed = True


@dataclass
class Sent:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeouts: Timeouts


class Wire:
    """Answers with the given statuses, the last one again and again."""

    def __init__(self, *statuses: int) -> None:
        self.sent: list[Sent] = []
        self.answers = [Answer(status) for status in statuses]

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeouts: Timeouts,
    ) -> Answer:
        self.sent.append(Sent(method, url, dict(headers), body, timeouts))
        return self.answers[min(len(self.sent), len(self.answers)) - 1]


class Tokens:
    """A credential whose refreshes are scripted: a new token, none, or an error."""

    def __init__(self, *refreshes: str | Exception | None) -> None:
        self.token = "first"
        self.rejected: list[str] = []
        self._refreshes = list(refreshes)

    async def header(self) -> tuple[str, str]:
        return "authorization", f"Bearer {self.token}"

    async def refresh(self, rejected: str) -> bool:
        self.rejected.append(rejected)
        outcome = self._refreshes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        self.token = outcome or self.token
        return outcome is not None


def deployment(api: Api = Api.V1) -> Deployment:
    return Deployment(
        name="east",
        kind=Kind.PTU,
        endpoint=ENDPOINT,
        api=api,
        azure_name="gpt-4o-ptu",
        model="gpt-4o",
        api_version="2024-10-21",
        timeouts=Timeouts(first_byte=7.0),
    )


def chat() -> InferenceRequest:
    route = match("POST", "/v1/chat/completions", "")
    return read_request(route, b'{"model":"gpt-4o","messages":[]}')


def stored(method: str, path: str) -> InferenceRequest:
    return read_request(match(method, path, ""), b"")


@pytest.mark.parametrize(
    ("api", "url", "body", "header"),
    [
        (
            Api.CLASSIC,
            f"{ENDPOINT}/openai/deployments/gpt-4o-ptu/chat/completions?api-version=2024-10-21",
            b'{"model":"gpt-4o","messages":[]}',
            {"api-key": "k"},
        ),
        (
            Api.V1,
            f"{ENDPOINT}/openai/v1/chat/completions",
            b'{"model":"gpt-4o-ptu","messages":[]}',
            {"api-key": "k"},
        ),
        (
            Api.OPENAI,
            f"{ENDPOINT}/chat/completions",
            b'{"model":"gpt-4o-ptu","messages":[]}',
            {"authorization": "Bearer k"},
        ),
    ],
)
async def test_each_api_is_called_its_way(
    api: Api, url: str, body: bytes, header: dict[str, str]
) -> None:
    """URL, body and credential follow the deployment; what was forwarded stays."""
    wire = Wire(200)
    upstream = AzureOpenAI(wire, {"east": ApiKeyCredential("k", api)})

    answer = await upstream.open(deployment(api), chat(), {"x-ms-client-request-id": "7"})

    assert answer is wire.answers[0]
    expected = {"x-ms-client-request-id": "7", "content-type": "application/json", **header}
    # It does not stream: its headers come with the whole answer.
    assert wire.sent == [Sent("POST", url, expected, body, Timeouts(first_byte=600.0))]


async def test_a_stored_response_is_asked_for_by_its_method() -> None:
    """Reads and deletes go out as such, without a body."""
    wire = Wire(200)
    upstream = AzureOpenAI(wire, {"east": ApiKeyCredential("k", Api.V1)})
    for method in ("GET", "DELETE"):
        await upstream.open(deployment(), stored(method, "/v1/responses/resp_1"), {})

    assert [(sent.method, sent.body) for sent in wire.sent] == [("GET", b""), ("DELETE", b"")]
    assert wire.sent[0].url.endswith("/openai/v1/responses/resp_1")


async def test_a_rejected_token_is_replaced_once() -> None:
    """The rejection is closed, and the request sent again with the new token."""
    wire, tokens = Wire(401, 200), Tokens("second")

    answer = await AzureOpenAI(wire, {"east": tokens}).open(deployment(), chat(), {})

    assert (answer.status, wire.answers[0].closed, wire.answers[1].closed) == (200, True, False)
    assert [sent.headers["authorization"] for sent in wire.sent] == [
        "Bearer first",
        "Bearer second",
    ]
    assert tokens.rejected == ["Bearer first"]


async def test_a_second_rejection_is_the_answer() -> None:
    """There is one refresh, not a loop."""
    wire = Wire(401, 401)
    answer = await AzureOpenAI(wire, {"east": Tokens("second")}).open(deployment(), chat(), {})

    assert (answer.status, len(wire.sent)) == (401, 2)


async def test_lasting_rejections_are_hardly_more_calls() -> None:
    """Of fifty requests in a minute one is sent twice, and its token fetched anew."""
    made = 0

    class Source:
        async def get_token(self, _scope: str, /) -> AccessToken:
            return AccessToken(f"token-{made}", int(clock.unix()) + 3600)

        async def close(self) -> None:
            pass

    def source() -> Source:
        nonlocal made
        made += 1
        return Source()

    wire, clock = Wire(401), FakeClock()
    async with EntraCredential(source, "scope", clock, lambda: 0.5) as credential:
        upstream = AzureOpenAI(wire, {"east": credential})
        answers = [await upstream.open(deployment(), chat(), {}) for _ in range(50)]

    assert {answer.status for answer in answers} == {401}
    assert (len(wire.sent), made) == (51, 2)


async def test_without_another_token_the_rejection_is_the_answer() -> None:
    """It is handed over open, to be read."""
    for credential in (Tokens(None), ApiKeyCredential("k", Api.V1)):
        wire = Wire(401)
        answer = await AzureOpenAI(wire, {"east": credential}).open(deployment(), chat(), {})

        assert (answer.status, len(wire.sent), wire.answers[0].closed) == (401, 1, False)


async def test_other_refusals_refresh_nothing() -> None:
    """A 403 or 429 has nothing to do with the token's age."""
    for status in (403, 404, 429, 500):
        tokens = Tokens()
        answer = await AzureOpenAI(Wire(status), {"east": tokens}).open(deployment(), chat(), {})
        assert (answer.status, tokens.rejected) == (status, [])


async def test_a_refresh_that_raises_leaves_nothing_open() -> None:
    """The rejection is closed on the way out."""
    wire = Wire(401)
    with pytest.raises(UpstreamMisconfigured):
        await AzureOpenAI(wire, {"east": Tokens(UpstreamMisconfigured("no"))}).open(
            deployment(), chat(), {}
        )
    assert wire.answers[0].closed
