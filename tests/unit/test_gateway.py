"""One request, top to bottom, on fakes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from app.domain.call.request import Operation
from app.domain.capacity.spill import SpillReason
from app.domain.identity.tenant import Tenant
from app.domain.ledger.completion import Outcome
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Verdict
from app.domain.routing.route import Absence
from app.errors import (
    ClientGone,
    InvalidApiKey,
    MalformedRequest,
    MethodNotAllowed,
    NoCapacity,
    SpillgateError,
    StoreUnavailable,
    UnknownModel,
    UnknownPreviousResponse,
    UnknownResponse,
    UnknownRoute,
    UpstreamDisconnected,
    UpstreamUnreachable,
)
from tests.fakes.answers import frames
from tests.fakes.call import FakeCall
from tests.fakes.house import House
from tests.fakes.reply import RecordingReply
from tests.streams.recordings import recording

CHAT: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**CHAT, "stream": True}
RESPONSE = {"model": "gpt-4o", "input": "Hi"}
CONTINUED = {**RESPONSE, "previous_response_id": "resp_7"}
STORED = "/v1/responses/resp_7"
TOO_DEEP = b'{"model":"gpt-4o","a":' + b"[" * 64 + b"]" * 64 + b"}"


@pytest.fixture
def house() -> House:
    return House()


async def refused(house: House, call: FakeCall) -> SpillgateError:
    """What a call is refused with; nothing was sent, nothing is open, one receipt says so."""
    reply = RecordingReply()
    with pytest.raises(SpillgateError) as caught:
        await house.gateway.handle(call, reply)
    assert reply.status is None
    assert not house.upstream.still_open
    assert (house.receipt.status, house.receipt.error) == (caught.value.status, caught.value.code)
    return caught.value


async def test_the_provisioned_deployment_serves_first(house: House) -> None:
    """The whole story of a request that nothing stood in the way of."""
    house.upstream("ptu").completes("Hello", usage=(9, 2)).takes(0.5)
    reply, receipt = await house.serve(FakeCall(fields=CHAT))

    assert (reply.status, reply.finished) == (200, True)
    assert b"Hello" in reply.body
    assert reply.headers["x-spillgate-deployment"] == "ptu"
    assert reply.headers["x-spillgate-spill"] == "none"
    assert reply.headers["x-spillgate-attempts"] == "1"

    assert receipt == house.receipt
    assert (receipt.outcome, receipt.status, receipt.error) == (Outcome.FINISHED, 200, None)
    assert (receipt.tenant, receipt.key_id, receipt.model) == ("acme", "id-of-acme", "gpt-4o")
    assert (receipt.deployment, receipt.spill) == ("ptu", SpillReason.NONE)
    assert (receipt.usage, receipt.bytes_relayed) == (Usage(9, 0, 2), len(reply.body))
    assert (receipt.duration, receipt.time_to_first_token) == (0.5, 0.5)
    assert (receipt.operation, receipt.stream) == (Operation.CHAT_COMPLETIONS, False)
    assert receipt.request_id == "req_test"


async def test_a_full_ptu_spills(house: House) -> None:
    """The client sees an answer and why it came from elsewhere; the record holds both attempts."""
    house.upstream("ptu").answers(429, code="429", retry_after_ms=800)
    house.upstream("paygo").streams("Hel", "lo", usage=(9, 2))
    reply, receipt = await house.serve(FakeCall(fields=STREAM))

    request = house.upstream.asked[-1].request
    assert request.adds_usage
    assert reply.body == b"".join(frames(request, ("Hel", "lo"), None))
    assert reply.headers["x-spillgate-deployment"] == "paygo"
    assert reply.headers["x-spillgate-spill"] == "throttled"
    assert reply.headers["x-spillgate-attempts"] == "2"
    assert [attempt.verdict for attempt in receipt.attempts] == [Verdict.THROTTLED, Verdict.ACCEPT]
    assert (receipt.deployment, receipt.usage) == ("paygo", Usage(9, 0, 2))
    assert receipt.stream


async def test_the_next_request_does_not_ask_a_held_deployment(house: House) -> None:
    """It is planned around, until its time is over."""
    house.upstream("ptu").answers(429, retry_after_ms=800).completes()
    house.upstream("paygo").completes().completes()
    await house.serve(FakeCall(fields=CHAT))
    reply, receipt = await house.serve(FakeCall(fields=CHAT))
    assert reply.headers["x-spillgate-spill"] == "held"
    assert reply.headers["x-spillgate-attempts"] == "1"
    assert receipt.plan is not None
    assert [absence.deployment for absence in receipt.plan.absences] == ["ptu"]
    house.clock.advance(0.8)
    reply, _ = await house.serve(FakeCall(fields=CHAT))
    assert reply.headers["x-spillgate-deployment"] == "ptu"


async def test_a_stranger_costs_no_body(house: House) -> None:
    """The key comes first: nothing is read for, nor told to, whoever has none."""
    call = FakeCall(fields=CHAT, tenant="nobody")
    assert isinstance(await refused(house, call), InvalidApiKey)
    assert not call.body_was_read
    assert house.receipt.outcome is Outcome.REFUSED
    assert house.receipt.tenant is None


async def test_a_path_comes_before_a_key(house: House) -> None:
    """What does not exist is a 404 to everyone."""
    call = FakeCall("/v1/nothing", tenant="nobody")
    assert isinstance(await refused(house, call), UnknownRoute)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (FakeCall("/v1/chat/completions", method="GET"), MethodNotAllowed),
        (FakeCall(fields=b"{"), MalformedRequest),
        (FakeCall(fields=b'{"model":"gpt-4o","model":"other"}'), MalformedRequest),
        (FakeCall(fields=TOO_DEEP), MalformedRequest),
        (FakeCall(fields={"messages": []}), MalformedRequest),
        (FakeCall(fields={"model": "gpt-5"}), UnknownModel),
        (FakeCall("/v1/models/gpt-5", method="GET"), UnknownModel),
        (FakeCall(STORED, method="GET"), UnknownResponse),
        (FakeCall("/v1/responses", CONTINUED), UnknownPreviousResponse),
    ],
)
async def test_refusals_reach_no_upstream(
    house: House, call: FakeCall, kind: type[SpillgateError]
) -> None:
    """What the caller can mend is told before anything is spent."""
    assert isinstance(await refused(house, call), kind)
    assert house.upstream.names == []
    assert house.receipt.outcome is Outcome.REFUSED


async def test_a_model_of_other_tenants_does_not_exist() -> None:
    """The same words as for a model that nobody has."""
    house = House(tenants=[Tenant("narrow", frozenset({"embed"}))])
    error = await refused(house, FakeCall(fields=CHAT, tenant="narrow"))
    assert error.message == "The model `gpt-4o` does not exist or you do not have access to it."


@pytest.mark.parametrize("model", ["no-such-model", "spg_test_aB3dE6gH9k_" + "x1Y" * 16])
@pytest.mark.parametrize("more", [{}, {"previous_response_id": "resp_7"}])
async def test_a_name_that_is_no_models_is_not_recorded(
    house: House, model: str, more: dict[str, Any]
) -> None:
    """It is whatever a caller wrote there, by mistake a key; records keep to configured names."""
    error = await refused(house, FakeCall("/v1/responses", {**RESPONSE, "model": model, **more}))
    assert house.receipt.model == "(unknown)"
    assert "x1Y" not in error.message
    assert model not in str(house.receipt)


async def test_a_known_model_is_recorded_whatever_became_of_it(house: House) -> None:
    """A refusal for capacity, too, counts for the model that was asked for."""
    house.upstream("ptu").answers(429, retry_after_ms=9000)
    house.upstream("paygo").answers(429, retry_after_ms=2500)
    await refused(house, FakeCall(fields=CHAT))
    assert house.receipt.model == "gpt-4o"


async def test_no_capacity_says_when(house: House) -> None:
    """All throttled: a 429 with the time of the first that is free again."""
    house.upstream("ptu").answers(429, retry_after_ms=9000)
    house.upstream("paygo").answers(429, retry_after_ms=2500)
    error = await refused(house, FakeCall(fields=CHAT))
    assert isinstance(error, NoCapacity)
    assert error.retry_after_s == 2.5
    assert house.receipt.outcome is Outcome.REFUSED
    assert len(house.receipt.attempts) == 2


async def test_a_refusal_for_known_holds_can_be_explained(house: House) -> None:
    """Nobody was asked; the receipt says who was passed over, why, and until when."""
    now = house.clock.now()
    house.holds.hold("ptu", now + 9.0)
    house.holds.hold("paygo", now + 2.5)
    error = await refused(house, FakeCall(fields=CHAT))
    assert isinstance(error, NoCapacity)
    assert error.retry_after_s == 2.5
    assert house.receipt.attempts == ()
    assert house.receipt.plan is not None
    assert house.receipt.plan.absences == (
        Absence("ptu", 0, SpillReason.HELD, now + 9.0),
        Absence("paygo", 1, SpillReason.HELD, now + 2.5),
    )


async def test_when_all_fail_the_last_failure_is_told(house: House) -> None:
    """No deployment gave an answer."""
    house.upstream("ptu").answers(500, body=b"")
    house.upstream("paygo").fails(UpstreamUnreachable)
    assert isinstance(await refused(house, FakeCall(fields=CHAT)), UpstreamUnreachable)
    assert house.receipt.outcome is Outcome.UPSTREAM_FAILED


async def test_an_upstreams_refusal_is_an_answer(house: House) -> None:
    """A filtered prompt is the caller's to read, verbatim; the request is finished."""
    said = b'{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicy"}}}'
    house.upstream("ptu").answers(400, body=said)
    reply, receipt = await house.serve(FakeCall(fields=CHAT))
    assert (reply.status, reply.body) == (400, said)
    assert (receipt.outcome, receipt.status, receipt.usage) == (Outcome.FINISHED, 400, Usage())


async def test_a_stream_that_breaks_is_ended_honestly(house: House) -> None:
    """The status had been sent; the receipt says that the answer is not whole."""
    house.upstream("ptu").streams("Hel", "lo").cuts_after(3)
    reply, receipt = await house.serve(FakeCall(fields=STREAM))
    assert isinstance(reply.broken, UpstreamDisconnected)
    assert (receipt.outcome, receipt.status) == (Outcome.UPSTREAM_ABORTED, 200)
    assert receipt.error == "upstream_disconnected"
    assert house.upstream.names == ["ptu"]


async def test_an_error_inside_a_stream_is_in_the_receipt(house: House) -> None:
    """The upstream told the client; the record knows as well."""
    one = recording("chat_error")
    house.upstream("ptu").plays(one.data)
    reply, receipt = await house.serve(FakeCall(fields=STREAM))
    assert (reply.body, reply.finished) == (one.data, True)
    assert (receipt.outcome, receipt.error) == (Outcome.UPSTREAM_ABORTED, one.error)


async def test_a_client_that_left_is_recorded(house: House) -> None:
    """With what it had got by then, and the upstream let go."""
    house.upstream("ptu").streams("Hel", "lo", "!")
    reply = RecordingReply(leaves_after=2)
    with pytest.raises(ClientGone):
        await house.gateway.handle(FakeCall(fields=STREAM), reply)
    assert house.receipt.outcome is Outcome.CLIENT_DISCONNECTED
    assert house.receipt.bytes_relayed == len(reply.body)
    assert not house.upstream.still_open


async def test_a_bug_is_recorded_and_not_swallowed(house: House) -> None:
    """Whoever serves HTTP says so to the client; the receipt says it to the operator."""
    house.upstream("ptu").acts.clear()
    with pytest.raises(AssertionError):
        await house.serve(FakeCall(fields=CHAT))
    assert house.receipt.outcome is Outcome.INTERNAL_ERROR


async def test_models_are_listed_without_a_body(house: House) -> None:
    """The gateway answers itself."""
    call = FakeCall("/v1/models", method="GET")
    reply, receipt = await house.serve(call)
    assert [entry["id"] for entry in json.loads(reply.body)["data"]] == ["gpt-4o"]
    assert not call.body_was_read
    assert (receipt.outcome, receipt.tenant) == (Outcome.FINISHED, "acme")


async def test_a_stored_response_stays_where_it_was_made(house: House) -> None:
    """Continued, read and deleted on its own deployment, though the first tier is free."""
    house.upstream("ptu").answers(429, retry_after_ms=1)
    house.upstream("paygo").completes(answer_id="resp_7").completes().completes().completes()
    await house.serve(FakeCall("/v1/responses", RESPONSE))
    house.clock.advance(1)
    for call in (
        FakeCall("/v1/responses", CONTINUED),
        FakeCall(STORED, method="GET"),
        FakeCall(STORED, method="DELETE"),
    ):
        reply, _ = await house.serve(call)
        assert reply.headers["x-spillgate-deployment"] == "paygo"
        assert reply.headers["x-spillgate-spill"] == "none"
    assert house.upstream.names == ["ptu", "paygo", "paygo", "paygo", "paygo"]


async def test_an_owner_is_known_before_its_id_is(house: House) -> None:
    """The id goes out in the first frame; the client may come back with it at once."""
    house.upstream("ptu").streams("Hello")
    task = asyncio.create_task(house.serve(FakeCall("/v1/responses", {**RESPONSE, "stream": True})))
    while not house.owners.claims:
        assert not task.done()
        await asyncio.sleep(0)
    assert house.owners.claims == {("acme", "resp_1"): "ptu"}
    reply, _ = await task
    assert reply.finished


async def test_an_unstored_response_has_no_owner(house: House) -> None:
    """Nothing is remembered that cannot be asked for."""
    house.upstream("ptu").completes(answer_id="resp_7")
    await house.serve(FakeCall("/v1/responses", {**RESPONSE, "store": False}))
    assert house.owners.claims == {}


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (FakeCall(STORED, method="GET", tenant="rival"), UnknownResponse),
        (FakeCall(STORED, method="DELETE", tenant="rival"), UnknownResponse),
        (FakeCall(f"{STORED}/cancel", tenant="rival"), UnknownResponse),
        (FakeCall(f"{STORED}/input_items", method="GET", tenant="rival"), UnknownResponse),
        (
            FakeCall("/v1/responses", CONTINUED, tenant="rival"),
            UnknownPreviousResponse,
        ),
    ],
)
async def test_another_tenants_response_is_not_found(
    house: House, call: FakeCall, kind: type[SpillgateError]
) -> None:
    """Whatever is tried with its id, no upstream hears of it."""
    house.owners.claims["acme", "resp_7"] = "paygo"
    assert isinstance(await refused(house, call), kind)
    assert house.upstream.names == []


async def test_without_the_store_only_stored_responses_suffer(house: House) -> None:
    """New requests are served; those that need an owner say that it cannot be told."""
    house.owners.lost = True
    house.upstream("ptu").completes()
    reply, _ = await house.serve(FakeCall("/v1/responses", RESPONSE))
    assert reply.finished
    house.accounts.rows.clear()
    house.observer.receipts.clear()
    call = FakeCall(STORED, method="GET")
    assert isinstance(await refused(house, call), StoreUnavailable)


async def test_the_receipt_is_settled_before_anyone_sees_it(house: House) -> None:
    """Observers see what the account was charged with, once it is charged."""
    house.estimator.ready.clear()
    house.upstream("ptu").streams("Hel", "lo", usage=None)
    task = asyncio.create_task(house.serve(FakeCall(fields=STREAM)))
    while not house.estimator.begun:
        await asyncio.sleep(0)
    assert house.observer.receipts == []
    assert not house.upstream.still_open
    house.estimator.ready.set()
    await task
    assert house.receipt.flags == ("estimated",)


class PromptCall(FakeCall):
    """One whose body is there at once; it notes when it is read."""

    def __init__(self, fields: dict[str, Any], seen: list[str]) -> None:
        super().__init__(fields=fields)
        self._seen = seen

    async def body(self) -> bytes:
        self._seen.append("read")
        return self._body


async def stages_of(
    house: House, patch: pytest.MonkeyPatch, fields: dict[str, Any], size: int = 3
) -> list[str]:
    """What happens, in order, to so many requests that come together."""
    seen: list[str] = []

    def noted(target: Any, method: str) -> None:
        function = getattr(target, method)

        def noting(*args: object) -> object:
            seen.append(method)
            return function(*args)

        patch.setattr(target, method, noting)

    noted(house.accounts, "reserve")
    noted(house.gateway.routing, "plan")
    noted(house.upstream, "open")
    calls = [PromptCall(fields, seen) for _ in range(size)]
    await asyncio.gather(*(house.gateway.handle(call, RecordingReply()) for call in calls))
    return seen


async def test_whole_answers_are_asked_for_together(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stage by stage; but nobody comes between a plan and what it was made for."""
    for _ in range(3):
        house.upstream("ptu").completes("Hello", usage=(9, 2))
    seen = await stages_of(house, monkeypatch, CHAT)
    assert seen == ["read"] * 3 + ["reserve"] * 3 + ["plan", "open"] * 3


async def test_streams_wait_for_nobody(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is asked for as soon as it has come: its first frame is waited for."""
    for _ in range(3):
        house.upstream("ptu").streams("Hel", "lo", usage=(9, 2))
    seen = await stages_of(house, monkeypatch, STREAM)
    assert seen == ["read", "reserve", "plan", "open"] * 3
