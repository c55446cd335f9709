"""What a receipt says of how a request ended."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.domain.routing.route import Absence
from app.errors import ClientGone
from app.observation import Observation
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock


def concluded(status: int | None, error: BaseException | None) -> Receipt:
    observation = Observation(FakeCall(), FakeClock())
    observation.conclude(status, error)
    return observation.receipt


def test_a_receipt_has_what_explains_it() -> None:
    """When the request came on the clock of its attempts, whom it passed over, what it took."""
    clock = FakeClock()
    observation = Observation(FakeCall(), clock)
    came = clock.now()
    clock.advance(2.0)
    absence = Absence("ptu", 0, SpillReason.HELD, clock.now() + 1)
    observation.skipped.append(absence)
    ask = Ask("r1", "acme", (), Amounts(requests=1, tokens=7), (), (), ())
    day = CalendarWindow("2026-11-21", 0, 1)
    observation.reservation = Reservation(ask, "g1", day, day)
    observation.conclude(200, None)
    receipt = observation.receipt
    assert (receipt.started, receipt.skipped) == (came, (absence,))
    assert receipt.reservation is observation.reservation


@pytest.mark.parametrize(
    ("sent", "error", "told"),
    [
        (None, KeyError("bug"), 500),
        (200, KeyError("bug"), 200),
        (None, ClientGone(), None),
        (None, asyncio.CancelledError(), None),
    ],
    ids=["bug", "bug after the headers", "nobody to tell", "cut off without a word"],
)
def test_the_status_is_the_one_that_the_client_saw(
    sent: int | None, error: BaseException, told: int | None
) -> None:
    """An internal error is told as 500 where nothing had been sent; nothing told is no status."""
    assert concluded(sent, error).status == told


def test_a_bug_is_an_internal_error() -> None:
    """Whether or not anything had been sent."""
    for sent in (None, 200):
        assert concluded(sent, KeyError("bug")).outcome is Outcome.INTERNAL_ERROR
