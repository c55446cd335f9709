"""One candidate after the other, until one gives an answer worth passing on."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from app.answer import Answer
from app.domain.call.request import InferenceRequest
from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason
from app.domain.identity.directory import DeploymentEntry
from app.domain.identity.tenant import Principal, Tenant
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Deployment, Fleet, Target, Timeouts
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.retry_budget import RetryBudget
from app.domain.routing.route import NEVER, Absence, Candidate, Choices, RoutePlan, plan_route
from app.domain.routing.warm_cache import WarmCaches
from app.errors import (
    NoCapacity,
    Overloaded,
    SpillgateError,
    UpstreamDisconnected,
    UpstreamFailed,
    UpstreamMisconfigured,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.observation import Observation
from app.stages.upstream import Judging, Retries, Upstreams
from app.standing import Standing
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.call import FakeCall
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment, fleet
from tests.fakes.upstream import ScriptedUpstream
from tests.streams.recordings import THROTTLED, Recording

CHAT = read_request(match("POST", "/v1/chat/completions", ""), b'{"model":"gpt-4o"}')
STREAM = read_request(match("POST", "/v1/responses", ""), b'{"model":"gpt-4o","stream":true}')
UNSAID = object()  # the rules while operators say nothing
OURS, RIVALS = (Principal(Tenant(name), name) for name in ("acme", "rival"))


class Search:
    """A plan's search, played to its end."""

    def __init__(self, *deployments: str | Deployment) -> None:
        self.fleet = fleet(*deployments)
        self.clock = FakeClock()
        self.holds = FakeHoldBoard()
        self.upstream = ScriptedUpstream(self.clock)
        self.standing = Standing(self.holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.5)
        self.doubts = Doubts()
        self.upstreams = self.gate()
        self.operations: dict[str, DeploymentEntry] = {}
        self.observation = Observation(FakeCall(), self.clock)

    def gate(self) -> Upstreams:
        return Upstreams(
            self.fleet,
            self.upstream,
            Judging(self.standing, self.doubts),
            self.clock,
            retries=Retries(RetryBudget()),
            rules=LiveRules(lambda: self.operations, version=lambda: self.operations or UNSAID),
        )

    async def play(
        self,
        request: InferenceRequest = CHAT,
        *,
        headers: dict[str, str] | None = None,
        plan: RoutePlan | None = None,
        who: Principal = OURS,
    ) -> Answer:
        """The answer that was found; the search's scope is left before it is looked at."""
        self.observation = Observation(FakeCall(), self.clock)
        self.observation.principal = who
        self.observation.plan = plan or self.plan()
        found = self.upstreams.answer(
            self.observation.plan, request, headers or {}, self.observation
        )
        async with found as answer:
            assert all(response.closed for response in self.upstream.responses[:-1])
        assert not self.upstream.still_open
        return answer

    async def fail(
        self,
        request: InferenceRequest = CHAT,
        *,
        plan: RoutePlan | None = None,
        who: Principal = OURS,
    ) -> SpillgateError:
        """The failure that the search ended in; every connection is let go by then."""
        with pytest.raises(SpillgateError) as caught:
            await self.play(request, plan=plan, who=who)
        assert not self.upstream.still_open
        return caught.value

    def plan(self, load: Load | None = None) -> RoutePlan:
        choices = Choices(self.fleet.models["gpt-4o"], rules=UNSAID)
        now = self.clock.now()
        outlooks = self.standing.outlooks(choices.names, load, now)
        return plan_route(choices, outlooks, now=now, draw=lambda: 0.5, load=load)

    @property
    def verdicts(self) -> list[Verdict]:
        return [attempt.verdict for attempt in self.observation.attempts]

    @property
    def held_for(self) -> dict[str, float]:
        """How long each deployment is still held."""
        return {name: until - self.clock.now() for name, until in self.holds.until.items()}


async def test_the_first_tier_answers() -> None:
    """Nobody else is asked, and no hold is made."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").completes()
    answer = await search.play()
    assert (answer.deployment.name, search.upstream.names) == ("ptu", ["ptu"])
    assert search.holds.told == []
    assert search.observation.spill is SpillReason.NONE


async def test_an_attempt_has_the_utilization_that_the_answer_told() -> None:
    """As a part; None where nothing was told."""
    search = Search("ptu", "paygo")
    told = {"azure-openai-deployment-utilization": "104.5%"}
    search.upstream("ptu").answers(429, code="429", headers=told)
    search.upstream("paygo").completes()
    await search.play()
    assert [attempt.utilization for attempt in search.observation.attempts] == [1.045, None]


async def test_an_attempt_keeps_no_sentence_of_an_upstreams() -> None:
    """Where a code or an id belongs, some servers have the caller's text, or kilobytes."""
    search = Search("ptu", "paygo")
    headers = {"x-request-id": "q" * 3000, "x-ms-spillover-from-deployment": "my prompt"}
    search.upstream("ptu").answers(429, code="Cannot read: my secret prompt", headers=headers)
    search.upstream("paygo").completes()
    await search.play()
    attempt = search.observation.attempts[0]
    assert attempt.verdict is Verdict.THROTTLED
    told = attempt.code, attempt.upstream_request_id, attempt.native_spillover_from
    assert told == (None, None, None)


async def test_a_throttled_deployment_is_held_and_the_next_asked_at_once() -> None:
    """A 429 is a redirect: no time passes, and the hold lasts as long as was asked."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(429, code="429", retry_after_ms=800)
    search.upstream("paygo").completes()
    before = search.clock.now()
    answer = await search.play()
    assert answer.deployment.name == "paygo"
    assert search.clock.now() == before
    assert search.holds.told == [("ptu", before + 0.8)]
    assert search.verdicts == [Verdict.THROTTLED, Verdict.ACCEPT]
    assert search.observation.spill is SpillReason.THROTTLED


async def test_the_hold_counts_from_the_refusal() -> None:
    """A slow refusal's wait begins when it came."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(429, retry_after_ms=2000).takes(3.0)
    search.upstream("paygo").completes()
    await search.play()
    assert search.held_for == {"ptu": 2.0}


@pytest.mark.parametrize("one", THROTTLED, ids=lambda one: one.name)
async def test_a_stream_throttled_inside_a_200_moves_on_as_well(one: Recording) -> None:
    """Whichever of `response.failed` and `error` comes first."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").plays(one.data, headers={"retry-after": "7"})
    search.upstream("paygo").streams("Hello")
    answer = await search.play(STREAM)
    assert answer.deployment.name == "paygo"
    assert search.held_for == {"ptu": 7.0}
    assert not any(b"error" in frame or b"failed" in frame for frame in answer.frames)


async def test_throttled_deployments_do_not_count_as_errors() -> None:
    """Any number of refusals is passed on the way to one with room."""
    names = [f"ptu{number}" for number in range(8)]
    search = Search(*names, "paygo")
    for name in names:
        search.upstream(name).answers(429, retry_after_ms=100)
    search.upstream("paygo").completes()
    assert (await search.play()).deployment.name == "paygo"


async def test_three_failures_end_the_search() -> None:
    """A request that kills deployments is not carried to all of them."""
    search = Search("a", "b", "c", "d")
    search.upstream("a").answers(500, body=b"<html>")
    search.upstream("b").fails(UpstreamUnreachable)
    search.upstream("c").answers(503, body=b"")
    error = await search.fail()
    assert isinstance(error, UpstreamFailed)
    assert search.upstream.names == ["a", "b", "c"]
    assert search.verdicts == [Verdict.FAILED] * 3
    assert search.holds.told == []


async def test_a_failure_moves_on() -> None:
    """Before the first byte another deployment takes over."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").fails(UpstreamUnreachable)
    search.upstream("paygo").completes()
    assert (await search.play()).deployment.name == "paygo"
    assert search.observation.spill is SpillReason.ERROR


async def test_nothing_left_to_ask_with_is_nobodys_failure() -> None:
    """Who was to be asked is not kept out for what this machine lacks, and nobody dearer asked."""
    search = Search("ptu", "paygo")
    for _ in range(20):
        search.upstream("ptu").fails(Overloaded)
        assert isinstance(await search.fail(), Overloaded)
    assert set(search.upstream.names) == {"ptu"}
    assert search.standing.health.all_well()
    assert search.verdicts == []


@pytest.mark.parametrize("kind", [UpstreamUnreachable, UpstreamTimeout])
async def test_the_last_failure_is_what_is_told(kind: type[SpillgateError]) -> None:
    """The client learns what the last deployment did, not merely that it failed."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(500, body=b"")
    search.upstream("paygo").fails(kind)
    assert isinstance(await search.fail(), kind)


async def test_an_error_object_of_the_last_failure_is_passed_on() -> None:
    """A 500 that an SDK can read is an answer when nobody has a better one."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").fails(UpstreamUnreachable)
    search.upstream("paygo").answers(500, code="server_error")
    answer = await search.play()
    assert (answer.status, answer.deployment.name) == (500, "paygo")
    assert b"server_error" in answer.head
    assert search.observation.served is search.observation.attempts[-1]


async def test_all_throttled_is_no_capacity_until_the_first_is_free() -> None:
    """The earliest of all, those left out of the plan included."""
    search = Search("ptu", "paygo", "last")
    search.holds.hold("last", search.clock.now() + 3.0)
    search.upstream("ptu").answers(429, retry_after_ms=9000)
    search.upstream("paygo").answers(429, retry_after_ms=4000)
    error = await search.fail()
    assert isinstance(error, NoCapacity)
    assert error.retry_after_s == 3.0
    assert search.upstream.names == ["ptu", "paygo"]


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "401"), (401, "PermissionDenied"), (403, None), (404, "DeploymentNotFound")],
)
async def test_our_own_misconfiguration_moves_on(status: int, code: str | None) -> None:
    """The caller's key is good: another deployment serves it."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(status, code=code)
    search.upstream("paygo").completes()
    assert (await search.play()).deployment.name == "paygo"
    assert search.verdicts == [Verdict.MISCONFIGURED, Verdict.ACCEPT]


@pytest.mark.parametrize("status", [401, 403])
async def test_an_upstreams_refusal_of_us_is_never_shown(status: int) -> None:
    """Its text may name our identities; and a 401 would tell the caller that its key is bad."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(500, code="server_error")
    search.upstream("paygo").answers(status, code="PermissionDenied")
    error = await search.fail()
    assert isinstance(error, UpstreamMisconfigured)
    assert (error.status, error.message) == (502, "The deployment 'paygo' refused the gateway.")


@pytest.mark.parametrize("code", ["content_filter", "OperationNotSupported", None])
async def test_what_is_wrong_with_the_request_is_its_answer(code: str | None) -> None:
    """It would be wrong everywhere, so nobody else is asked."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(400, code=code)
    answer = await search.play()
    assert (answer.status, search.upstream.names) == (400, ["ptu"])


async def test_a_request_that_is_too_long_goes_to_a_larger_window_only() -> None:
    """Deployments of the same or an unknown size are not bothered."""
    search = Search(
        deployment("ptu", window=128_000),
        deployment("same", window=128_000),
        "unknown",
        deployment("large", window=1_000_000),
    )
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    search.upstream("large").completes()
    assert (await search.play()).deployment.name == "large"
    assert search.upstream.names == ["ptu", "large"]


async def test_without_a_larger_window_the_refusal_is_the_answer() -> None:
    """Verbatim: SDKs and agents read its numbers."""
    search = Search(deployment("ptu", window=128_000), deployment("paygo", window=128_000))
    said = b'{"error":{"code":"context_length_exceeded","message":"maximum is 128000 tokens"}}'
    search.upstream("ptu").answers(400, body=said)
    answer = await search.play()
    assert (answer.status, answer.head) == (400, said)
    assert search.upstream.names == ["ptu"]


async def test_a_window_of_unknown_size_is_not_outdone_by_another() -> None:
    """Nothing says that the second is larger."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    search.upstream("paygo").answers(400, code="context_length_exceeded")
    await search.play()
    assert search.upstream.names == ["ptu"]


async def test_a_refusal_that_is_passed_on_was_served_by_whoever_refused() -> None:
    """The record and the answer name the same deployment."""
    search = Search(deployment("ptu"), deployment("paygo"))
    search.upstream("ptu").answers(503, code="busy")
    search.upstream("paygo").answers(429, retry_after_ms=100)
    answer = await search.play()
    assert search.observation.served is not None
    assert search.observation.served.deployment == answer.deployment.name == "ptu"


async def test_where_the_larger_window_is_throttled_waiting_helps() -> None:
    """Not the refusal of the smaller one: the same request will be served a moment later."""
    search = Search(deployment("ptu", window=1000), deployment("paygo", window=2000))
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    search.upstream("paygo").answers(429, retry_after_ms=100)
    assert isinstance(await search.fail(), NoCapacity)


async def test_who_is_too_small_has_no_room_for_it() -> None:
    """The time told is that of those whose window is large enough."""
    small = (deployment(name, window=1000) for name in ("ptu", "small"))
    search = Search(*small, deployment("paygo", window=2000))
    search.holds.hold("small", search.clock.now() + 1.0)
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    search.upstream("paygo").answers(429, retry_after_ms=5000)
    error = await search.fail()
    assert isinstance(error, NoCapacity)
    assert error.retry_after_s == 5.0


async def test_a_request_is_not_too_long_while_a_larger_window_is_only_held() -> None:
    """A final refusal would be a lie: the same request is served when the hold is over."""
    search = Search(deployment("ptu", window=1000), deployment("paygo", window=2000))
    search.holds.hold("paygo", search.clock.now() + 5.0)
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    error = await search.fail()
    assert isinstance(error, NoCapacity)
    assert error.retry_after_s == 5.0
    search.clock.advance(5.0)
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    search.upstream("paygo").completes()
    assert (await search.play()).deployment.name == "paygo"


async def test_a_larger_window_that_is_not_for_this_tenant_is_not_waited_for() -> None:
    """Nor one that is being drained: the refusal is the answer."""
    search = Search(deployment("ptu", window=1000), deployment("paygo", window=2000))
    denied = Absence("paygo", 1, SpillReason.POLICY, NEVER)
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    plan = RoutePlan((Candidate("ptu", 0),), (denied,))
    assert (await search.play(plan=plan)).status == 400

    held = Absence("paygo", 1, SpillReason.HELD, search.clock.now() + 5.0)
    search.operations["paygo"] = DeploymentEntry("paygo", draining=True)
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    assert (await search.play(plan=RoutePlan((Candidate("ptu", 0),), (held,)))).status == 400


async def test_the_only_larger_window_is_asked_though_it_fails() -> None:
    """Others may be asked, but none of them could help."""
    search = Search(deployment("ptu", window=1000), deployment("paygo", window=2000))
    plan = search.plan()
    eject(search, "paygo")
    search.upstream("ptu").answers(400, code="context_length_exceeded")
    search.upstream("paygo").completes()
    assert (await search.play(plan=plan)).deployment.name == "paygo"


async def test_nobody_is_asked_after_the_deadline() -> None:
    """The longest total limit of the plan, counted from when the request came."""
    quick = Timeouts(total=10.0)
    search = Search(*(deployment(name, timeouts=quick) for name in ("a", "b", "c")))
    search.upstream("a").fails(UpstreamDisconnected).takes(6.0)
    search.upstream("b").fails(UpstreamDisconnected).takes(6.0)
    assert isinstance(await search.fail(), UpstreamDisconnected)
    assert search.upstream.names == ["a", "b"]


@pytest.mark.parametrize("request_", [CHAT, STREAM], ids=["body", "stream"])
async def test_a_silence_is_not_asked_for_again_elsewhere(request_: InferenceRequest) -> None:
    """Who was silent may have been at work: a long answer would be paid for twice."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").streams("Hello").stalls(after=0)
    assert isinstance(await search.fail(request_), UpstreamTimeout)
    assert search.upstream.names == ["ptu"]


async def test_long_answers_of_one_tenant_move_that_tenant_alone() -> None:
    """Five silences in a row: it is served elsewhere, while nobody else notices."""
    search = Search("ptu", "paygo")
    for _ in range(5):
        search.upstream("ptu").fails(UpstreamTimeout)
        await search.fail()
    search.upstream("paygo").completes()
    assert (await search.play()).deployment.name == "paygo"
    assert [each.reason for each in search.observation.skipped] == [SpillReason.UNHEALTHY]
    search.upstream("ptu").completes()
    assert (await search.play(who=RIVALS)).deployment.name == "ptu"
    assert search.standing.health.all_well()

    alone = Search("ptu")
    for _ in range(6):
        alone.upstream("ptu").fails(UpstreamTimeout)
        await alone.fail()
    assert alone.upstream.names == ["ptu"] * 6


async def test_who_is_silent_to_all_is_out() -> None:
    """Two tenants, and no answer to anybody between: five more, and nobody is sent there."""
    search = Search("ptu", "paygo")
    for turn in range(6):
        search.upstream("ptu").fails(UpstreamTimeout)
        await search.fail(who=RIVALS if turn % 2 else OURS)
    assert not search.standing.health.may_ask("ptu", search.clock.now())


async def test_a_wait_of_a_day_is_not_believed() -> None:
    """Azure has said so of a limit per minute."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(429, headers={"retry-after": "86400"})
    search.upstream("paygo").completes()
    await search.play()
    assert search.held_for == {"ptu": 300.0}


async def test_without_a_wait_holds_double_from_a_second() -> None:
    """1, 2, 4 and so on up to a minute; an answer starts anew."""
    search = Search("ptu")
    waits = []
    for _ in range(8):
        search.upstream("ptu").answers(429, body=b'{"error":{"code":"429"}}')
        await search.fail()
        waits.append(search.held_for["ptu"])
        search.clock.advance(search.held_for["ptu"])
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]

    search.upstream("ptu").completes()
    await search.play()
    search.upstream("ptu").answers(429, body=b'{"error":{"code":"429"}}')
    await search.fail()
    assert search.held_for["ptu"] == 1.0


async def test_a_drain_that_came_after_the_plan_is_respected() -> None:
    """But for who is the only candidate: it holds what is asked for."""
    search = Search("ptu", "paygo")
    plan = search.plan()
    search.operations["paygo"] = DeploymentEntry("paygo", draining=True)
    search.upstream("ptu").fails(UpstreamUnreachable)
    with pytest.raises(UpstreamUnreachable):
        await search.play(plan=plan)
    assert search.upstream.names == ["ptu"]
    assert search.observation.skipped == [Absence("paygo", 1, SpillReason.POLICY, NEVER)]

    alone = Search("ptu")
    alone.operations["ptu"] = DeploymentEntry("ptu", draining=True)
    alone.upstream("ptu").completes()
    await alone.play()


async def test_who_was_drained_meanwhile_has_no_room() -> None:
    """The time told is that of those who are left; where nobody is, waiting is pointless."""
    search = Search("ptu", "paygo")
    plan = search.plan()
    search.operations["paygo"] = DeploymentEntry("paygo", draining=True)
    search.holds.hold("paygo", search.clock.now() + 1.0)
    search.upstream("ptu").answers(429, retry_after_ms=5000)
    error = await search.fail(plan=plan)
    assert isinstance(error, NoCapacity)
    assert error.retry_after_s == 5.0

    search.operations["ptu"] = DeploymentEntry("ptu", draining=True)
    error = await search.fail(plan=plan)
    assert isinstance(error, NoCapacity)
    assert (error.retry_after_s, error.should_retry) == (None, False)


async def test_a_hold_that_came_after_the_plan_is_respected() -> None:
    """Another request, or another replica, may have learnt of it meanwhile."""
    search = Search("ptu", "paygo")
    plan = search.plan()
    search.holds.hold("ptu", search.clock.now() + 5)
    search.upstream("paygo").completes()
    await search.play(plan=plan)
    assert search.upstream.names == ["paygo"]
    assert search.observation.skipped == [
        Absence("ptu", 0, SpillReason.HELD, search.clock.now() + 5)
    ]
    assert search.observation.spill is SpillReason.HELD


@pytest.mark.parametrize(
    ("passed_s", "asked"), [(0.0, ["ptu"]), (0.1, ["paygo"])], ids=["just now", "a while ago"]
)
async def test_room_is_looked_for_once_in_a_moment(passed_s: float, asked: list[str]) -> None:
    """Between plan and search nobody has a turn; later somebody may have taken what there was."""
    search = Search("ptu", "paygo")
    book, load = CapacityBook("a"), Load(Claim("acme"), Demand(7000, 0))
    book.follow({"ptu": PtuCapacity(100.0, 4.0)}, search.clock.now())
    search.standing = replace(search.standing, capacity=book)
    search.upstreams = search.gate()
    plan = search.plan(load)
    place = book.take("ptu", load, search.clock.now())
    assert place is not None
    place.accepted(CapacityTold(1.2), search.clock.now())
    search.clock.advance(passed_s)
    search.upstream(*asked).completes()
    await search.play(plan=plan)
    assert search.upstream.names == asked


async def test_nobody_is_asked_after_the_first_content() -> None:
    """Once an answer was accepted, its failure is its own: nothing is tried in its place."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").streams("Hel", "lo").cuts_after(3)
    search.observation.plan = search.plan()
    found = search.upstreams.answer(search.observation.plan, STREAM, {}, search.observation)
    with pytest.raises(UpstreamFailed):
        await _broken_inside(found)
    assert search.upstream.names == ["ptu"]
    assert not search.upstream.still_open


async def _broken_inside(found: AbstractAsyncContextManager[Answer]) -> None:
    async with found:
        message = "The connection broke."
        raise UpstreamFailed(message)


async def test_only_harmless_headers_reach_an_upstream() -> None:
    """Neither the caller's key nor what would steer Azure goes on."""
    search = Search("ptu")
    search.upstream("ptu").completes()
    forwarded = {"accept": "application/json", "openai-beta": "assistants=v2"}
    stopped = {
        "authorization": "Bearer key-of-acme",
        "api-key": "key-of-acme",
        "x-ms-spillover-deployment": "somebody-elses",
        "cookie": "a=b",
        "host": "gateway",
        "content-length": "17",
        "x-forwarded-for": "10.0.0.1",
    }
    await search.play(headers={**forwarded, **stopped})
    assert search.upstream.asked[0].headers == forwarded


async def test_a_callers_trace_passes_through_where_nothing_is_traced() -> None:
    """Only where it is a valid one, and never its baggage."""
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    for given, passed in (
        ({"traceparent": traceparent, "tracestate": "a=1"}, True),
        ({"traceparent": "nonsense", "tracestate": "a=1"}, False),
    ):
        search = Search("ptu")
        search.upstream("ptu").completes()
        await search.play(headers={**given, "baggage": "customer=Jane"})
        assert search.upstream.asked[0].headers == (given if passed else {})


async def test_an_attempt_is_a_record_of_its_own() -> None:
    """Who was asked, what came, when, and what Azure calls it."""
    search = Search("ptu", "paygo")
    search.upstream("ptu").answers(429, code="429", headers={"apim-request-id": "one"}).takes(0.25)
    azure = {"x-request-id": "two", "x-ms-spillover-from-deployment": "their-ptu"}
    search.upstream("paygo").completes()
    search.upstream("paygo").acts[-1].headers.update(azure)
    await search.play()
    first, second = search.observation.attempts
    assert (first.deployment, first.tier, first.status, first.code) == ("ptu", 0, 429, "429")
    assert (first.ended - first.started, first.upstream_request_id) == (0.25, "one")
    assert (second.deployment, second.tier, second.upstream_request_id) == ("paygo", 1, "two")
    assert second.native_spillover_from == "their-ptu"


async def test_targets_of_one_tier_stand_in_for_each_other() -> None:
    """A failure within the first tier is no spill."""
    search = Search("a", "b")
    search.fleet = Fleet(search.fleet.deployments, {"gpt-4o": ((Target("a"), Target("b")),)})
    search.upstream("a").answers(429, retry_after_ms=500)
    search.upstream("b").completes()
    plan = RoutePlan((Candidate("a", 0), Candidate("b", 0)))
    assert (await search.play(plan=plan)).deployment.name == "b"
    assert search.observation.spill is SpillReason.NONE


def side_by_side(*names: str) -> Search:
    """A search whose candidates share a tier."""
    search = Search(*names)
    tier = tuple(Target(name) for name in names)
    search.fleet = Fleet(search.fleet.deployments, {"gpt-4o": (tier,)})
    return search


def eject(search: Search, *names: str) -> None:
    now = search.clock.now()
    for name in names:
        for _ in range(5):
            search.standing.judged(name, Verdict.FAILED, now, now)


async def test_of_a_tier_that_fails_as_a_whole_the_least_bad_are_asked() -> None:
    """At most half of it is kept out; a refusal in its place would be an outage of our own."""
    search = side_by_side("a", "b")
    eject(search, "a", "b")
    plan = search.plan()
    (only,) = plan.candidates
    search.upstream(only.deployment).completes()
    assert (await search.play(plan=plan)).deployment.name == only.deployment


async def test_who_failed_since_the_plan_was_made_is_passed_over() -> None:
    """While there are others; nobody is refused because all of them failed meanwhile."""
    search = side_by_side("a", "b", "c")
    plan = search.plan()
    first, second, _ = (each.deployment for each in plan.candidates)
    eject(search, first)
    search.upstream(second).completes()
    assert (await search.play(plan=plan)).deployment.name == second
    assert [each.reason for each in search.observation.skipped] == [SpillReason.UNHEALTHY]

    alone = Search("ptu")
    plan = alone.plan()
    eject(alone, "ptu")
    alone.upstream("ptu").completes()
    assert (await alone.play(plan=plan)).deployment.name == "ptu"


async def test_answers_that_break_off_eject_who_gave_them() -> None:
    """Their beginnings do not make up for it."""
    search = Search("ptu")
    for _ in range(5):
        search.upstream("ptu").completes()
        plan = search.plan()
        search.observation = Observation(FakeCall(), search.clock)
        search.observation.plan = plan
        async with search.upstreams.answer(plan, CHAT, {}, search.observation):
            search.observation.broken = UpstreamFailed("It broke off.")
    assert not search.standing.health.may_ask("ptu", search.clock.now())
