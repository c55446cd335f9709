"""Spans of any receipt nest, whatever befell the request and however clocks were read."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.call.errand import Purpose
from app.domain.call.request import Operation
from app.domain.call.trace import Caller, TraceContext
from app.domain.ledger.completion import Outcome, Stage
from app.domain.ledger.error_type import error_type
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.tracing import attribute_names as names
from app.domain.tracing.said import AnswerFacts, Said
from app.domain.tracing.span_attributes import Server
from app.domain.tracing.span_tree import span_tree
from app.domain.tracing.spans import SpanKind
from tests.fakes.receipts import receipt

SERVERS = {"ptu": Server("ptu.example", 443, "gpt-4o")}
STARTED = 100.0
#: Moments before, within and after the request: two clocks need not agree, nor one be read in time.
MOMENTS = st.floats(STARTED - 1, STARTED + 700)
IDS = st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}")
TRACES = st.builds(
    TraceContext,
    trace_id=st.integers(1, 2**128 - 1).map(lambda number: f"{number:032x}"),
    span_id=IDS,
    is_sampled=st.booleans(),
    caller=st.none()
    | st.builds(Caller, st.just("a" * 32), st.just("c" * 16), st.booleans(), st.just("a=1")),
)


@st.composite
def attempts(draw: st.DrawFn, trace: TraceContext) -> tuple[Attempt, ...]:
    made: list[Attempt] = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        started, ended = sorted((draw(MOMENTS), draw(MOMENTS)))
        made.append(
            Attempt(
                deployment=draw(st.sampled_from(["ptu", "paygo"])),
                tier=draw(st.integers(0, 3)),
                verdict=draw(st.sampled_from(Verdict)),
                status=draw(st.none() | st.sampled_from([200, 400, 429, 500])),
                started=started,
                ended=ended,
                code=draw(st.none() | st.text(max_size=200)),
                span_id=trace.child(number),
            )
        )
    return tuple(made)


@st.composite
def stages(draw: st.DrawFn) -> tuple[tuple[Stage, float], ...]:
    come_to = draw(st.lists(st.sampled_from(get_args(Stage)), max_size=len(get_args(Stage))))
    moments = draw(st.lists(MOMENTS, min_size=len(come_to), max_size=len(come_to)))
    return tuple(zip(come_to, sorted(moments), strict=True))


@st.composite
def receipts(draw: st.DrawFn) -> Any:
    trace = draw(TRACES)
    result = draw(st.sampled_from(CacheResult))
    return receipt(
        trace=trace,
        trace_id=trace.trace_id,
        started=STARTED,
        duration=draw(st.floats(0, 600)),
        outcome=draw(st.sampled_from(Outcome)),
        operation=draw(st.none() | st.sampled_from(Operation)),
        stream=draw(st.booleans()),
        status=draw(st.none() | st.sampled_from([200, 401, 429, 500, 502])),
        error=draw(st.none() | st.text(max_size=200)),
        tenant=draw(st.none() | st.just("acme")),
        model=draw(st.none() | st.just("gpt-4o")),
        deployment=draw(st.none() | st.sampled_from(["ptu", "paygo"])),
        attempts=draw(attempts(trace)),
        time_to_first_token=draw(st.none() | st.floats(0, 600)),
        stages=draw(stages()),
        relayed=draw(st.none() | MOMENTS),
        cache=CacheRecord(result),
        errand=draw(st.none() | st.sampled_from(Purpose)),
        cause=draw(st.none() | TRACES),
        reservation=draw(st.sampled_from([None, receipt().reservation])),
    )


@given(receipts())
def test_every_span_lies_within_its_parent(made: Any) -> None:
    """And ends after it began; ids differ, and every parent but the caller is there."""
    tree = span_tree(made, SERVERS, Said(AnswerFacts("chatcmpl-1", "gpt-4o", ("stop",))))
    by_id = {each.span_id: each for each in tree.spans}
    assert len(by_id) == len(tree.spans)
    assert tree.request.parent_id not in by_id
    for each in tree.spans:
        assert each.begins <= each.ends
        if each is not tree.request:
            parent = by_id[each.parent_id]
            assert parent.begins <= each.begins
            assert each.ends <= parent.ends


@given(receipts())
def test_attributes_are_of_the_table_and_short(made: Any) -> None:
    """Of the exact types that exporters know; an upstream's own words are cut."""
    for each in span_tree(made, SERVERS).spans:
        assert each.attributes.keys() <= names.NAMES
        for value in each.attributes.values():
            assert type(value) in {str, bool, int, float, tuple}
            assert len(str(value)) <= 300


@given(receipts())
def test_an_error_goes_by_one_word(made: Any) -> None:
    """From the request down to where it ended, the one that metrics and the log have."""
    word = error_type(made)
    tree = span_tree(made, SERVERS)
    assert tree.request.attributes.get(names.ERROR_TYPE) == word
    inner = [each for each in tree.spans if each.kind is SpanKind.INTERNAL and each.failed]
    assert {each.attributes.get(names.ERROR_TYPE) for each in inner} <= {word}


@given(receipts())
def test_each_attempt_is_a_call_and_tokens_are_told_once(made: Any) -> None:
    """Sums over a trace are what was charged."""
    spans = span_tree(made, SERVERS).spans
    calls = [each for each in spans if each.kind is SpanKind.CLIENT]
    assert [each.span_id for each in calls] == [each.span_id for each in made.attempts]
    assert [names.INPUT_TOKENS in each.attributes for each in spans].count(True) <= 1
    assert [names.OPERATION in each.attributes for each in spans].count(True) <= 1
