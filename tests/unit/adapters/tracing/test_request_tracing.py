"""What is traced, and what of it is said, from one configuration to the next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.adapters.tracing.export import Bounds, SpanExport
from app.adapters.tracing.request_tracing import RequestTracing
from app.adapters.tracing.sdk_spans import form_of
from app.domain.ledger.completion import Outcome
from app.domain.tracing.said import AnswerFacts, Content, Said
from app.domain.tracing.sampling import Sampler, SamplingPolicy
from app.domain.tracing.span_attributes import Server
from tests.fakes.changed import replace
from tests.fakes.receipts import receipt

NONE = SamplingPolicy(ratio=0, caller_ratio=0, errors=False, spills=False)
SERVERS = {"ptu": Server("ptu.example", 443, "gpt-4o")}


@pytest.fixture
def tracing() -> RequestTracing:
    """One that chooses nothing, and sends to nobody."""
    export = SpanExport([], form_of({}, "1"), Bounds())
    return RequestTracing(Sampler(NONE, lambda count: b"\x07" * count), export)


def test_that_requests_are_chosen_by_the_policy_in_force(tracing: RequestTracing) -> None:
    """When they come, and for how they ended."""
    failed = receipt(outcome=Outcome.UPSTREAM_FAILED)
    assert not tracing.begin(None, 1.0).is_sampled
    assert not tracing.keeps(failed)
    tracing.follow(replace(NONE, ratio=1, errors=True), most_content=0, servers={})
    assert tracing.begin(None, 1.0).is_sampled
    assert tracing.keeps(failed)


def test_that_what_is_traced_as_it_happens_follows_too(tracing: RequestTracing) -> None:
    """Its provider is made once, before the first reload."""
    tracer = tracing.tracer_provider().get_tracer("admin")
    assert not tracer.start_span("before").is_recording()
    tracing.follow(replace(NONE, ratio=1), most_content=0, servers={})
    assert tracer.start_span("after").is_recording()


def test_that_texts_and_deployments_are_those_in_force(tracing: RequestTracing) -> None:
    """Until told so, no text is sent and no deployment is known."""
    assert (tracing.most_content, dict(tracing.export.servers)) == (0, {})
    tracing.follow(NONE, most_content=100, servers=SERVERS)
    assert (tracing.most_content, tracing.export.servers) == (100, SERVERS)


def test_that_nothing_is_sent_that_is_known_to_be_secret(tracing: RequestTracing) -> None:
    """Whatever an upstream put it in: its answer's id, its model, why it ended, its text."""
    secret, told = "a-key-of-ours", list[Said]()
    sent: Any = SimpleNamespace(record=lambda _receipt, said: told.append(said))
    facts = AnswerFacts(secret, f"x-{secret}", ("stop", secret))
    redacting = RequestTracing(tracing.sampler, sent, lambda text: text.replace(secret, "*"))
    redacting.record(receipt(), Said(facts, Content(f"say {secret}", secret)))
    redacting.record(receipt(), Said(facts))
    clean = AnswerFacts("*", "x-*", ("stop", "*"))
    assert told == [Said(clean, Content("say *", "*")), Said(clean)]
