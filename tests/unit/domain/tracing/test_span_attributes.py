"""What spans say; most of it is told with the tree that they are in."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.call.request import Operation
from app.domain.ledger.completion import Outcome
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.tracing import attribute_names as names
from app.domain.tracing.said import AnswerFacts, Content, Said
from app.domain.tracing.span_attributes import (
    attempt_attributes,
    error_attributes,
    error_of,
    request_attributes,
    request_name,
    said_attributes,
)
from tests.fakes.receipts import receipt


@pytest.mark.parametrize("operation", Operation)
def test_every_operation_has_a_name(operation: Operation) -> None:
    """Of a model's work and the model, or of method and route; never what a path says."""
    name = request_name(receipt(operation=operation))
    assert name.endswith("gpt-4o") or name.partition(" ")[2].startswith("/v1/")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, {}),
        (
            {"outcome": Outcome.REFUSED, "error": "unknown_url", "status": 404},
            {names.ERROR_TYPE: "not_found", names.ERROR_CODE: "unknown_url"},
        ),
        ({"status": 400}, {names.ERROR_TYPE: "invalid_request"}),
        (
            {"status": None, "outcome": Outcome.CLIENT_DISCONNECTED},
            {names.ERROR_TYPE: "client_disconnected"},
        ),
        (
            {"outcome": Outcome.UPSTREAM_ABORTED, "error": "x" * 500},
            {names.ERROR_TYPE: "upstream_error", names.ERROR_CODE: "x" * 64},
        ),
    ],
)
def test_the_type_of_an_error(changes: dict[str, Any], told: dict[str, str]) -> None:
    """The word that metrics have for it, and the code if any; an upstream's own is cut."""
    assert error_attributes(receipt(**changes)) == told


@pytest.mark.parametrize(
    ("verdict", "status", "code", "told"),
    [
        (Verdict.ACCEPT, 200, None, None),
        (Verdict.ACCEPT, 400, "bad", "400"),
        (Verdict.THROTTLED, 429, "429", "429"),
        (Verdict.THROTTLED, 200, "no_capacity", "no_capacity"),
        (Verdict.FAILED, None, None, "failed"),
        (Verdict.HEDGED, None, None, None),
    ],
)
def test_what_an_attempt_failed_by(
    verdict: Verdict, status: int | None, code: str | None, told: str | None
) -> None:
    """A throttle may come inside a 200; who was given up did not fail."""
    assert error_of(Attempt("ptu", 0, verdict, status, 1.0, 2.0, code=code)) == told


def test_the_answers_own_words_are_there_only_where_they_were_asked_for() -> None:
    """Facts are always told, and nothing is told as an empty text."""
    assert said_attributes(Said()) == {}
    facts = AnswerFacts("chatcmpl-1", "gpt-4o", ("stop",))
    assert names.OUTPUT_MESSAGES not in said_attributes(Said(facts))
    told = said_attributes(Said(facts, Content("[]", "")))
    assert told == {
        names.RESPONSE_ID: "chatcmpl-1",
        names.RESPONSE_MODEL: "gpt-4o",
        names.FINISH_REASONS: ("stop",),
        names.INPUT_MESSAGES: "[]",
    }


def test_nothing_that_was_not_reserved_has_tokens() -> None:
    """Zero would be a figure."""
    without = request_attributes(receipt(reservation=None), {})
    assert names.INPUT_TOKENS not in without
    assert request_attributes(receipt(), {})[names.INPUT_TOKENS] == 0


def test_an_attempt_at_a_deployment_that_is_not_known() -> None:
    """It is told by its name alone."""
    (attempt,) = receipt().attempts
    assert attempt_attributes(receipt(), attempt, {})[names.DEPLOYMENT] == "ptu"


def test_what_policies_find_is_told_by_closed_words_and_names() -> None:
    """Not the field, which may be a word of the caller's; nothing where nothing was found."""
    found = Finding(PolicyKind.PARAMETER, "allowed_parameters", Action.FLAG, "my_own", "because")
    attributes = request_attributes(receipt(findings=(found,)), {})
    assert attributes[names.POLICIES] == ("flag parameter allowed_parameters",)
    assert names.POLICIES not in request_attributes(receipt(), {})
