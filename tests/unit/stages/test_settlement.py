"""Every request ends in one receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.domain.identity.tenant import Principal, Tenant
from app.domain.ledger.completion import Outcome
from app.domain.ledger.ledger_row import LedgerRow, RowKind
from app.domain.quota.reservation import Amounts
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Choices
from app.errors import (
    ClientGone,
    InvalidApiKey,
    NoCapacity,
    ShuttingDown,
    SpillgateError,
    UpstreamDisconnected,
    UpstreamFailed,
)
from app.observation import Observation
from app.stages.admission import Admission
from app.stages.settlement import Settlement
from tests.fakes.accounts import PRICES, FakeAccounts, FakeEstimator, next_id
from tests.fakes.background_charges import FakeBackgroundCharges
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import fleet
from tests.fakes.reply import RecordingReply

ROUTE = Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS)
FLEET = fleet("ptu")


class Scene:
    """A settlement scope around whatever a test does in it."""

    def __init__(self) -> None:
        self.call = FakeCall()
        self.clock = FakeClock()
        self.observation = Observation(self.call, self.clock)
        self.reply = RecordingReply()
        self.accounts = FakeAccounts(self.clock)
        self.estimator = FakeEstimator(prompt=10, relayed=5)
        self.background = FakeBackgroundCharges()
        self.settlement = self.within(2.0)

    def within(self, limit_s: float) -> Settlement:
        """A settlement that may estimate for so long."""
        return Settlement(self.accounts, self.estimator, PRICES, self.background, limit_s=limit_s)

    async def serve(self, usage: Usage | None = None, *, status: int = 200) -> None:
        """A tenant's request that was reserved for and served."""
        observation, principal = self.observation, Principal(Tenant("acme"), "k1")
        request = observation.request = InferenceRequest(ROUTE, "gpt-4o", b"{}")
        observation.route, observation.principal = ROUTE, principal
        admission = Admission(
            self.accounts,
            self.estimator,
            fleet=FLEET,
            prices=PRICES,
            clock=self.clock,
            new_id=next_id(),
        )
        await admission.admit(principal, request, Choices(FLEET.models["gpt-4o"]), observation)
        observation.served = Attempt("ptu", 0, Verdict.ACCEPT, status, 0.0, 1.0, kind=Kind.PTU)
        observation.meter.usage = usage
        observation.meter.bytes = 400

    @property
    def row(self) -> LedgerRow:
        """The only row."""
        (row,) = self.accounts.rows
        return row

    async def play(self, ending: BaseException | None = None, *, status: int | None = None) -> None:
        async with self.settlement.settled(self.observation, self.reply):
            self.clock.advance(2.5)
            if status is not None:
                await self.reply.start(status, {})
            if ending is not None:
                raise ending

    async def linger(self) -> None:
        async with self.settlement.settled(self.observation, self.reply):
            await asyncio.Event().wait()


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def soon(happened: Callable[[], bool]) -> None:
    """Let others run until something happened."""
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0)


async def test_an_answer_from_the_cache_is_a_request_at_no_cost(scene: Scene) -> None:
    """It counts for limits of requests; what it would have cost stands beside."""
    await scene.serve()
    scene.observation.served = None
    scene.observation.cache = CacheRecord(CacheResult.EXACT, saved_nano_usd=700)
    await scene.play(status=200)
    assert scene.row.kind is RowKind.SETTLED
    assert scene.row.charged == Amounts(requests=1)
    assert (scene.row.cache, scene.row.saved_nano_usd) == ("exact", 700)


@pytest.mark.parametrize(("status", "kind"), [(None, RowKind.RELEASED), (200, RowKind.SETTLED)])
async def test_a_hit_that_its_client_left_before_it_began_is_given_back(
    scene: Scene, status: int | None, kind: RowKind
) -> None:
    """Of which it saw nothing; whoever has seen its beginning may have seen it all."""
    await scene.serve()
    scene.observation.served = None
    scene.observation.cache = CacheRecord(CacheResult.EXACT)
    with pytest.raises(ClientGone):
        await scene.play(ClientGone(), status=status)
    assert scene.row.kind is kind


async def test_a_finished_request_is_settled(scene: Scene) -> None:
    """The receipt has the status that was sent and the time it took."""
    await scene.play(status=200)
    receipt = scene.observation.receipt
    assert (receipt.outcome, receipt.status, receipt.error) == (Outcome.FINISHED, 200, None)
    assert (receipt.duration, receipt.started_at) == (2.5, 1_790_000_000.0)


@pytest.mark.parametrize(
    ("ending", "status", "outcome", "told", "code"),
    [
        (InvalidApiKey("m"), None, Outcome.REFUSED, 401, "invalid_api_key"),
        (NoCapacity("m"), None, Outcome.REFUSED, 429, "rate_limit_exceeded"),
        (UpstreamFailed("m"), None, Outcome.UPSTREAM_FAILED, 502, "upstream_error"),
        (UpstreamDisconnected("m"), 200, Outcome.UPSTREAM_ABORTED, 200, "upstream_disconnected"),
        (ClientGone(), None, Outcome.CLIENT_DISCONNECTED, None, None),
        (ClientGone(), 200, Outcome.CLIENT_DISCONNECTED, 200, None),
        (KeyError("bug"), None, Outcome.INTERNAL_ERROR, 500, None),
        (KeyError("bug"), 200, Outcome.INTERNAL_ERROR, 200, None),
    ],
)
async def test_whatever_ends_a_request_is_settled_and_goes_on(
    scene: Scene,
    ending: Exception,
    status: int | None,
    outcome: Outcome,
    told: int | None,
    code: str | None,
) -> None:
    """The receipt says how it ended; whoever renders it still gets the failure."""
    with pytest.raises(type(ending)) as caught:
        await scene.play(ending, status=status)
    assert caught.value is ending
    receipt = scene.observation.receipt
    assert (receipt.outcome, receipt.status, receipt.error) == (outcome, told, code)


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        (ClientGone(), Outcome.CLIENT_DISCONNECTED),
        (ShuttingDown("m"), Outcome.SHUT_DOWN),
    ],
)
async def test_an_interruption_names_its_reason(
    scene: Scene, reason: ClientGone | ShuttingDown, outcome: Outcome
) -> None:
    """A cancellation alone would not say who left."""
    task = asyncio.create_task(scene.linger())
    await asyncio.sleep(0)
    scene.call.interrupt(task, reason)
    with pytest.raises(asyncio.CancelledError):
        await task
    receipt = scene.observation.receipt
    assert receipt.outcome is outcome
    assert receipt.error == (reason.code if isinstance(reason, SpillgateError) else None)


async def test_what_the_upstream_told_is_charged(scene: Scene) -> None:
    """Its own counts, priced; what was reserved beyond them is given back."""
    await scene.serve(Usage(input=12, cached=4, output=7))
    await scene.play(status=200)
    row = scene.row
    assert (row.kind, row.flags) == (RowKind.SETTLED, ())
    assert (row.input, row.cached_input, row.output) == (12, 4, 7)
    assert row.nano_usd == 8 * 2 + 4 * 1 + 7 * 8
    assert (row.reserved_tokens, row.reserved_nano_usd) == (110, 820)
    ((_, charge),) = scene.accounts.settled
    assert charge.actual == Amounts(1, 19, row.nano_usd)
    assert scene.observation.receipt.nano_usd == row.nano_usd
    assert scene.accounts.held == 0


@pytest.mark.parametrize(
    ("attempts", "spilled"),
    [
        ([Attempt("ptu", 0, Verdict.ACCEPT, 200, 0.0, 1.0)], False),
        (
            [
                Attempt("ptu", 0, Verdict.THROTTLED, 429, 0.0, 1.0),
                Attempt("paygo", 1, Verdict.ACCEPT, 200, 1.0, 2.0),
            ],
            True,
        ),
        (
            [Attempt("ptu", 0, Verdict.ACCEPT, 200, 0.0, 1.0, native_spillover_from="ptu")],
            True,
        ),
    ],
    ids=["first tier", "second tier", "moved by Azure"],
)
async def test_what_left_the_first_tier_is_charged_as_that(
    scene: Scene, attempts: list[Attempt], *, spilled: bool
) -> None:
    """As the row says it, from which the account could be made again."""
    await scene.serve(Usage(input=12, output=7))
    scene.observation.attempts = attempts
    scene.observation.served = attempts[-1]
    await scene.play(status=200)
    ((_, charge),) = scene.accounts.settled
    assert (charge.spilled, scene.row.spilled) == (spilled, spilled)
    ((reservation, _),) = scene.accounts.settled
    assert reservation.hour is not None
    assert (scene.row.day, scene.row.hour) == (reservation.day.name, reservation.hour.name)


async def test_a_zero_is_a_zero(scene: Scene) -> None:
    """Told, not missing: nothing is estimated."""
    await scene.serve(Usage())
    await scene.play(status=200)
    assert (scene.row.input, scene.row.output, scene.row.nano_usd) == (0, 0, 0)
    assert scene.estimator.begun == 0


async def test_what_nobody_told_is_estimated(scene: Scene) -> None:
    """The prompt as reserved, the answer as relayed, and the row says so."""
    await scene.serve()
    with pytest.raises(UpstreamDisconnected):
        await scene.play(UpstreamDisconnected("m"), status=200)
    assert (scene.row.input, scene.row.output) == (10, 5)
    assert scene.row.flags == ("estimated",)
    assert scene.observation.receipt.usage == Usage(input=10, output=5)


@pytest.mark.parametrize(("relayed", "output"), [(5, 100), (300, 300)])
async def test_what_goes_on_in_the_background_is_charged_as_reserved(
    scene: Scene, relayed: int, output: int
) -> None:
    """Its answer says that it has begun, and no usage; what was relayed may be more by then."""
    await scene.serve()
    assert scene.observation.request is not None
    scene.observation.request = replace(scene.observation.request, background=True)
    scene.estimator.relayed_tokens = relayed
    await scene.play(status=200)
    assert (scene.row.input, scene.row.output) == (10, output)
    assert scene.row.flags == ("estimated", "background")


async def test_what_a_stored_response_repeats_is_nobodys_usage(scene: Scene) -> None:
    """It was charged when it was made, however often it is looked at."""
    route = Route(Operation.RETRIEVE_RESPONSE, "GET", Accounting.NONE, response_id="resp_1")
    scene.observation.route, scene.observation.principal = route, Principal(Tenant("acme"), "k1")
    scene.observation.request = InferenceRequest(route, "", b"")
    scene.observation.served = Attempt("ptu", 0, Verdict.ACCEPT, 200, 0.0, 1.0, kind=Kind.PTU)
    scene.observation.meter.usage = Usage(input=12, output=7)
    await scene.play(status=200)
    assert (scene.row.kind, scene.row.input, scene.row.output) == (RowKind.UNMETERED, 0, 0)
    assert scene.observation.receipt.usage is None


@pytest.mark.parametrize(("cap", "learned"), [(None, [40]), (41, [40]), (40, []), (1, [])])
async def test_an_answer_that_its_cap_ended_teaches_nothing(
    scene: Scene, cap: int | None, learned: list[int]
) -> None:
    """Whoever asks for one token many times would be reserved one where no cap is declared."""
    await scene.serve(Usage(input=10, output=40))
    assert scene.observation.request is not None
    scene.observation.request = replace(scene.observation.request, output_cap=cap)
    await scene.play(status=200)
    assert [tokens for _, _, tokens in scene.estimator.observed] == learned


async def looked_at(scene: Scene, tenant: str, usage: Usage | None) -> None:
    """A stored response is asked for again, and tells its usage."""
    route = Route(Operation.RETRIEVE_RESPONSE, "GET", Accounting.NONE, response_id="resp_1")
    observation = scene.observation = Observation(scene.call, scene.clock)
    scene.reply = RecordingReply()
    observation.route, observation.principal = route, Principal(Tenant(tenant), "k2")
    observation.request = InferenceRequest(route, "", b"")
    observation.served = Attempt("ptu", 0, Verdict.ACCEPT, 200, 0.0, 1.0, kind=Kind.PTU)
    observation.meter.usage = usage
    await scene.play(status=200)


async def gone_on(scene: Scene) -> None:
    """A response in the background was begun, and is charged as reserved."""
    await scene.serve()
    assert scene.observation.request is not None
    scene.observation.request = replace(scene.observation.request, background=True)
    scene.observation.response_id = "resp_1"
    await scene.play(status=200)


async def test_what_went_on_is_corrected_by_who_looks_first(scene: Scene) -> None:
    """Once: both rows together are what was used, and one request."""
    await gone_on(scene)
    for usage in (None, Usage(input=12, output=700, cached=4), Usage(input=1, output=1)):
        await looked_at(scene, "acme", usage)
    charged = [row for row in scene.accounts.rows if row.is_charged]
    assert [row.corrects for row in charged] == ["", charged[0].id]
    assert sum(row.input for row in charged) == 12
    assert sum(row.cached_input for row in charged) == 4
    assert sum(row.output for row in charged) == 700
    price = PRICES.price("ptu", charged[0].started_at)
    cost = price.charge(Usage(input=12, output=700, cached=4))
    assert sum(row.nano_usd for row in charged) == cost
    assert sum(row.charged.requests for row in charged) == 1
    assert scene.estimator.observed[-1] == ("acme", "gpt-4o", 700)


async def test_what_went_on_teaches_nothing_where_its_cap_ended_it(scene: Scene) -> None:
    """As of any answer."""
    await scene.serve()
    assert scene.observation.request is not None
    asked = replace(scene.observation.request, background=True, output_cap=50)
    scene.observation.request, scene.observation.response_id = asked, "resp_1"
    await scene.play(status=200)
    await looked_at(scene, "acme", Usage(input=10, output=50))
    assert scene.accounts.rows[-1].corrects
    assert scene.estimator.observed == []


async def test_nobody_else_corrects_what_went_on(scene: Scene) -> None:
    """An id that another tenant asks for is not its own."""
    await gone_on(scene)
    await looked_at(scene, "rivals", Usage(input=12, output=7))
    assert [row.corrects for row in scene.accounts.rows] == ["", ""]


async def test_a_correction_is_in_the_windows_of_what_it_corrects(scene: Scene) -> None:
    """However late it comes: days and scopes are the estimate's, and no limit is asked."""
    await gone_on(scene)
    scene.clock.advance(3 * 24 * 3600.0)
    await looked_at(scene, "acme", Usage(input=12, output=7))
    (first, _), (second, charge) = scene.accounts.settled
    assert (second.day, second.month, second.hour) == (first.day, first.month, first.hour)
    assert (second.ask.scopes, second.ask.amounts) == (first.ask.scopes, Amounts())
    assert charge.actual.tokens < 0


async def test_a_refusal_of_the_upstream_costs_nothing(scene: Scene) -> None:
    """No tokens were generated for a 400 that was passed on."""
    await scene.serve(status=400)
    await scene.play(status=400)
    assert (scene.row.input, scene.row.output, scene.row.nano_usd) == (0, 0, 0)


async def test_what_was_never_served_is_given_back(scene: Scene) -> None:
    """Every deployment failed before the first byte."""
    await scene.serve()
    scene.observation.served = None
    with pytest.raises(UpstreamFailed):
        await scene.play(UpstreamFailed("m"))
    ((_, charge),) = scene.accounts.settled
    assert (scene.row.kind, charge.actual) == (RowKind.RELEASED, Amounts())
    assert scene.accounts.held == 0


async def test_a_refused_tenant_has_a_row_and_a_stranger_none(scene: Scene) -> None:
    """A ledger is a tenant's."""
    scene.observation.principal = Principal(Tenant("acme"), "k1")
    with pytest.raises(NoCapacity):
        await scene.play(NoCapacity("m"))
    assert (scene.row.kind, scene.row.error) == (RowKind.REFUSED, "rate_limit_exceeded")
    stranger = Scene()
    with pytest.raises(InvalidApiKey):
        await stranger.play(InvalidApiKey("m"))
    assert stranger.accounts.rows == []


async def test_whole_answers_teach_how_long_they_are(scene: Scene) -> None:
    """Only those that were told and ended by themselves."""
    await scene.serve(Usage(input=12, output=7))
    await scene.play(status=200)
    assert scene.estimator.observed == [("acme", "gpt-4o", 7)]
    cut = Scene()
    await cut.serve()
    await cut.play(status=200)
    assert cut.estimator.observed == []


async def test_cancelling_does_not_stop_settling(scene: Scene) -> None:
    """However often it is cancelled, it is charged first; then it gives way."""
    await scene.serve()
    scene.estimator.ready.clear()
    task = asyncio.create_task(scene.linger())
    await asyncio.sleep(0)
    for _ in range(3):
        task.cancel()
        await soon(lambda: scene.estimator.begun == 1)
        await asyncio.sleep(0)
    assert not task.done()
    scene.estimator.ready.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.row.output == 5


async def test_a_cancellation_while_settling_is_not_lost(scene: Scene) -> None:
    """A request that was done is settled, and the cancellation still arrives."""
    await scene.serve()
    scene.estimator.ready.clear()
    task = asyncio.create_task(scene.play(status=200))
    await soon(lambda: scene.estimator.begun == 1)
    task.cancel()
    await asyncio.sleep(0)
    scene.estimator.ready.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert scene.observation.receipt.outcome is Outcome.FINISHED


async def test_estimating_is_given_up_after_its_limit(scene: Scene) -> None:
    """What takes too long to count is charged by its size, and no task is left behind."""
    await scene.serve()
    scene.settlement = scene.within(0.01)
    scene.estimator.ready.clear()
    async with asyncio.timeout(20):
        await scene.play(status=200)
    await soon(lambda: asyncio.all_tasks() == {asyncio.current_task()})
    assert scene.row.output == 100
    assert scene.accounts.held == 0
