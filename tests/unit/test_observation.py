"""What a receipt says of how a request ended."""

from __future__ import annotations

import asyncio

import pytest

from app.domain.completion import Outcome, Receipt
from app.errors import ClientGone
from app.observation import Observation
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock


def concluded(status: int | None, error: BaseException | None) -> Receipt:
    observation = Observation(FakeCall(), FakeClock())
    observation.conclude(status, error)
    return observation.receipt


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
