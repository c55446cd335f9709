"""A receipt as spans: what is told, in which order, and nothing of what was said."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.domain.cache.policy import CacheRule, ExactRule
from app.domain.call.trace import TraceContext
from app.domain.ledger.completion import Receipt
from app.domain.routing.attempt import Verdict
from app.domain.tracing import attribute_names as names
from app.domain.tracing.sampling import SamplingPolicy
from app.domain.tracing.span_attributes import Server
from app.domain.tracing.span_tree import span_tree
from app.domain.tracing.spans import Span, SpanKind, SpanLink, SpanTree
from app.errors import InvalidApiKey, MalformedRequest, NoCapacity, UnknownRoute
from tests.fakes.call import FakeCall
from tests.fakes.house import House
from tests.fakes.tracing import FakeTracing

CALL: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "my-secret-question"}],
    "max_tokens": 50,
}
STREAM = {**CALL, "stream": True}
SERVERS = {
    "ptu": Server("ptu.example", 443, "gpt-4o", region="eastus"),
    "paygo": Server("paygo.example", 443, "gpt-4o"),
}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def house() -> House:
    """One that traces everything."""
    policy = SamplingPolicy(ratio=1.0, caller_ratio=1.0)
    return House(tracing=FakeTracing(policy))


def tree_of(receipt: Receipt) -> SpanTree:
    tree = span_tree(receipt, SERVERS)
    assert_whole(tree)
    return tree


def assert_whole(tree: SpanTree) -> None:
    """Ids differ, parents are there and last as long as their children; names are the table's."""
    by_id = {each.span_id: each for each in tree.spans}
    assert len(by_id) == len(tree.spans)
    for each in tree.spans:
        assert each.begins <= each.ends
        assert each.attributes.keys() <= names.NAMES
        assert {type(value) for value in each.attributes.values()} <= {str, bool, int, float, tuple}
        if each is not tree.request:
            parent = by_id[each.parent_id]
            assert parent.begins <= each.begins
            assert each.ends <= parent.ends


def outline(tree: SpanTree) -> list[str]:
    """Names, indented below their parents."""

    def below(span: Span, depth: int) -> list[str]:
        children = [each for each in tree.spans if each.parent_id == span.span_id]
        lines = [f"{'  ' * depth}{span.name}{' !' if span.failed else ''}"]
        return lines + [line for each in children for line in below(each, depth + 1)]

    return below(tree.request, 0)


def named(tree: SpanTree, name: str) -> Span:
    (found,) = [each for each in tree.spans if each.name == name]
    return found


async def test_a_spilled_stream(house: House) -> None:
    """The refusal and the answer are attempts; what was relayed belongs to the latter."""
    headers = {"azure-openai-deployment-utilization": "104%"}
    house.upstream("ptu").answers(429, code="429", retry_after_ms=800, headers=headers).takes(0.2)
    house.upstream("paygo").streams("Hel", "lo", usage=(9, 2)).takes(0.5).pauses(2.0, before=2)
    _, receipt = await house.serve(
        FakeCall(fields=STREAM, headers={"traceparent": TRACEPARENT, "tracestate": "a=1"})
    )
    tree = tree_of(receipt)
    assert outline(tree) == [
        "chat gpt-4o",
        "  authenticate",
        "  read",
        "  admit",
        "  cache",
        "  route",
        "  attempt ptu !",
        "  attempt paygo",
        "    relay",
    ]
    assert (tree.trace_id, tree.state) == (TRACEPARENT[3:35], "a=1")
    request, refused, served = (
        tree.request,
        named(tree, "attempt ptu"),
        named(tree, "attempt paygo"),
    )
    assert (request.kind, request.parent_id) == (SpanKind.SERVER, TRACEPARENT[36:52])
    assert (refused.kind, served.kind) == (SpanKind.CLIENT, SpanKind.CLIENT)
    assert (
        request.attributes.items()
        >= {
            names.OPERATION: "chat",
            names.PROVIDER: "azure.ai.openai",
            names.REQUEST_MODEL: "gpt-4o",
            names.REQUEST_STREAM: True,
            names.REQUEST_MAX_TOKENS: 50,
            names.STATUS: 200,
            names.INPUT_TOKENS: 9,
            names.OUTPUT_TOKENS: 2,
            names.TENANT: "acme",
            names.SPILL: "throttled",
            names.DEPLOYMENT: "paygo",
            names.ATTEMPTS: ("ptu throttled", "paygo accept"),
            names.CACHE: "bypass",
        }.items()
    )
    assert request.attributes[names.COST] == receipt.nano_usd / 1e9 > 0
    assert names.ERROR_TYPE not in request.attributes
    assert (
        refused.attributes.items()
        >= {
            names.STATUS: 429,
            names.ERROR_TYPE: "429",
            names.VERDICT: "throttled",
            names.THROTTLE: "provisioned",
            names.RETRY_AFTER_S: 0.8,
            names.REPORTED: 1.04,
            names.ADDRESS: "ptu.example",
            names.PORT: 443,
            names.REGION: "eastus",
        }.items()
    )
    assert seconds(refused) == pytest.approx(0.2)
    assert served.attributes[names.FIRST_CHUNK_S] == pytest.approx(0.5)
    assert seconds(named(tree, "relay")) == pytest.approx(2.0)
    (first,) = request.events
    assert (first.name, first.at) == ("first_token", named(tree, "relay").begins)


def seconds(span: Span) -> float:
    return (span.ends - span.begins) / 1e9


async def test_tokens_and_cost_are_told_once(house: House) -> None:
    """Whoever adds up the spans of a trace gets what was charged."""
    house.upstream("ptu").completes(usage=(9, 2))
    tree = tree_of((await house.serve(FakeCall(fields=CALL)))[1])
    for name in (names.INPUT_TOKENS, names.OUTPUT_TOKENS, names.USAGE_COST, names.OPERATION):
        assert [name in each.attributes for each in tree.spans].count(True) == 1


async def test_the_upstream_is_called_by_its_attempt(house: House) -> None:
    """The span id that each is sent is the one that is recorded."""
    house.upstream("ptu").answers(503)
    house.upstream("paygo").completes()
    tree = tree_of((await house.serve(FakeCall(fields=CALL)))[1])
    sent = [each.headers["traceparent"] for each in house.upstream.asked]
    spans = [named(tree, f"attempt {each.deployment}").span_id for each in house.upstream.asked]
    assert sent == [f"00-{tree.trace_id}-{span_id}-01" for span_id in spans]


async def test_a_stranger_fails_at_the_door(house: House) -> None:
    """The stage that refused has the error; the request's own is no failure of the server."""
    with pytest.raises(InvalidApiKey):
        await house.serve(FakeCall(fields=CALL, tenant="nobody"))
    tree = tree_of(house.observer.receipts[0])
    assert outline(tree) == ["chat", "  authenticate !"]
    assert named(tree, "authenticate").attributes == {
        names.ERROR_TYPE: "invalid_key",
        names.ERROR_CODE: "invalid_api_key",
    }
    assert names.INPUT_TOKENS not in tree.request.attributes


async def test_what_cannot_be_read_fails_there(house: House) -> None:
    """Stages are named by the page that they stand on: what follows was not come to."""
    with pytest.raises(MalformedRequest):
        await house.serve(FakeCall(fields={"model": 7}))
    tree = tree_of(house.observer.receipts[0])
    assert outline(tree) == ["chat", "  authenticate", "  read !"]


async def test_what_is_not_served_has_no_stages(house: House) -> None:
    """Nobody knows what it was to be, and its path is a stranger's text."""
    with pytest.raises(UnknownRoute):
        await house.serve(FakeCall("/v1/my-secret-path", fields=CALL))
    tree = tree_of(house.observer.receipts[0])
    assert outline(tree) == ["request"]
    assert "secret" not in repr(tree)


async def test_what_no_model_works_on_is_an_http_request(house: House) -> None:
    """With its route, and nothing of generative AI."""
    _, receipt = await house.serve(FakeCall("/v1/models", method="GET"))
    tree = tree_of(receipt)
    assert outline(tree) == ["GET /v1/models", "  authenticate", "  answer"]
    assert names.OPERATION not in tree.request.attributes


async def test_nobody_has_room(house: House) -> None:
    """All attempts are there; it is a refusal with a reason, made where the search ended."""
    house.upstream("ptu").answers(429, code="429", retry_after_ms=800)
    house.upstream("paygo").answers(429, code="429", retry_after_ms=900)
    with pytest.raises(NoCapacity):
        await house.serve(FakeCall(fields=CALL))
    tree = tree_of(house.observer.receipts[0])
    assert outline(tree)[-2:] == ["  attempt ptu !", "  attempt paygo !"]
    assert tree.request.attributes[names.ERROR_TYPE] == "no_capacity"
    assert tree.request.attributes[names.ERROR_CODE] == "rate_limit_exceeded"
    assert not tree.request.failed


async def test_an_upstream_that_fails_is_a_failure(house: House) -> None:
    """Of the attempt, and of the request that nobody else could serve."""
    for name in ("ptu", "paygo"):
        house.upstream(name).answers(500)
    _, receipt = await house.serve(FakeCall(fields=CALL))
    tree = tree_of(receipt)
    assert tree.request.failed
    assert named(tree, "attempt ptu").attributes[names.ERROR_TYPE] == "500"


async def test_a_stream_that_breaks_off(house: House) -> None:
    """The relay failed, which is where the client's answer ended."""
    house.upstream("ptu").streams("Hel", "lo").cuts_after(2)
    _, receipt = await house.serve(FakeCall(fields=STREAM))
    tree = tree_of(receipt)
    assert outline(tree)[-2:] == ["  attempt ptu", "    relay !"]
    assert named(tree, "relay").attributes == {
        names.ERROR_TYPE: "upstream_disconnected",
        names.ERROR_CODE: "upstream_disconnected",
    }
    assert tree.request.failed


async def test_a_kept_answer(house: House) -> None:
    """It is replayed, and nobody was asked."""
    house.rule = CacheRule(exact=ExactRule(enabled=True))
    house.upstream("ptu").completes("Hello")
    await house.serve(FakeCall(fields=CALL))
    _, receipt = await house.serve(FakeCall(fields=CALL))
    tree = tree_of(receipt)
    assert outline(tree) == [
        "chat gpt-4o", "  authenticate", "  read", "  admit", "  cache", "  replay",
    ]  # fmt: skip
    assert tree.request.attributes[names.CACHE] == "exact"
    assert tree.request.attributes[names.CACHE_SAVED] > 0  # type: ignore[operator]  # a number


async def test_who_was_given_up_has_not_failed(house: House) -> None:
    """Another one answered first; both attempts are there, side by side."""
    house.upstream("ptu").completes()
    _, receipt = await house.serve(FakeCall(fields=CALL))
    (first,) = receipt.attempts
    lost = msgspec.structs.replace(
        first, deployment="paygo", verdict=Verdict.HEDGED, status=None, span_id="a" * 16
    )
    tree = tree_of(msgspec.structs.replace(receipt, attempts=(first, lost)))
    assert outline(tree)[-3:] == ["  attempt ptu", "    relay", "  attempt paygo"]
    given_up = named(tree, "attempt paygo")
    assert not given_up.failed
    assert names.ERROR_TYPE not in given_up.attributes


async def test_a_link_leads_to_what_it_is_about(house: House) -> None:
    """For instance a sample to the request whose answer it measures."""
    house.upstream("ptu").completes()
    _, receipt = await house.serve(FakeCall(fields=CALL))
    cause = TraceContext("a" * 32, "b" * 16, is_sampled=True)
    made = msgspec.structs.replace(receipt, cause=cause)
    assert tree_of(made).request.links == (SpanLink("a" * 32, "b" * 16),)


async def test_no_word_of_what_was_said(house: House) -> None:
    """Neither asked nor answered, whatever else is told; nor the key."""
    house.upstream("ptu").completes("my-secret-answer")
    _, receipt = await house.serve(FakeCall(fields=CALL))
    told = repr(span_tree(receipt, SERVERS))
    assert "my-secret" not in told
    assert "key-of-acme" not in told


async def test_what_the_answer_says_of_itself(house: House) -> None:
    """Its id and why it ended, streamed or not, or kept."""
    house.rule = CacheRule(exact=ExactRule(enabled=True))
    house.upstream("ptu").completes("Hello").streams("Hel", "lo")
    for fields in (CALL, STREAM, CALL):
        await house.serve(FakeCall(fields=fields))
    assert isinstance(house.tracing, FakeTracing)
    for receipt, said in house.tracing.recorded:
        attributes = span_tree(receipt, SERVERS, said).request.attributes
        assert attributes[names.FINISH_REASONS] == ("stop",)
        assert str(attributes[names.RESPONSE_ID]).startswith("chatcmpl")
    assert len(house.tracing.recorded) == 3


async def test_a_deployment_that_is_gone_is_told_by_its_name(house: House) -> None:
    """A reload may have removed it meanwhile."""
    house.upstream("ptu").completes()
    _, receipt = await house.serve(FakeCall(fields=CALL))
    (attempt,) = [each for each in span_tree(receipt, {}).spans if each.kind is SpanKind.CLIENT]
    assert attempt.attributes[names.DEPLOYMENT] == "ptu"
    assert names.ADDRESS not in attempt.attributes


async def test_without_a_trace_there_are_no_spans() -> None:
    """It is a mistake to ask."""
    house = House()
    house.upstream("ptu").completes()
    _, receipt = await house.serve(FakeCall(fields=CALL))
    with pytest.raises(ValueError, match="no trace"):
        span_tree(receipt, SERVERS)
