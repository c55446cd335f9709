"""Whose error an outcome is."""

from __future__ import annotations

import pytest

from app.domain.ledger.completion import Outcome
from tests.fakes.receipts import receipt

NOT_THE_SERVERS = {Outcome.FINISHED, Outcome.REFUSED, Outcome.CLIENT_DISCONNECTED}


@pytest.mark.parametrize("outcome", Outcome)
def test_what_a_caller_does_is_no_error_of_the_server(outcome: Outcome) -> None:
    """Nor is what it is refused, or that it leaves."""
    assert outcome.is_server_error == (outcome not in NOT_THE_SERVERS)
    assert receipt(outcome=outcome, status=None).is_server_error == outcome.is_server_error


@pytest.mark.parametrize(("status", "is_one"), [(429, False), (499, False), (500, True)])
def test_a_refusal_is_one_by_its_status(status: int, is_one: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """A refusal for want of something of ours has a status that says so."""
    assert receipt(outcome=Outcome.REFUSED, status=status).is_server_error is is_one
