from __future__ import annotations

import gc
from collections import Counter

import pytest
import structlog

from app.adapters.logs import MAX_FIELD, configure_logs
from app.adapters.logs.flood import STRANGERS_BURST, Flood
from app.adapters.logs.redaction import REDACTED
from app.adapters.logs.request_log import FIELDS, RequestLog, RequestPolicy
from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.call.errand import Purpose
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import Explanation
from app.domain.ledger.completion import Outcome
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Absence, RoutePlan
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import reservation, served
from tests.unit.adapters.logs.conftest import Logged

#: A rule that was broken, and let the request pass.
FLAGGED = Finding(PolicyKind.PATTERN, "card", Action.FLAG)
SPILLED = {
    "deployment": "paygo",
    "deployment_kind": Kind.PAYGO,
    "spill": SpillReason.THROTTLED,
    "attempts": (
        Attempt("ptu-east", 0, Verdict.THROTTLED, 429, 5.0, 5.01, retry_after_s=2.0),
        Attempt("paygo", 1, Verdict.FAILED, None, 5.01, 5.5),
    ),
    "plan": RoutePlan((), (Absence("ptu-west", 0, SpillReason.HELD, 9.0),)),
    "skipped": (Absence("ptu-north", 0, SpillReason.PREDICTED, 7.0),),
}


@pytest.fixture(params=["its own way", "structlog's"])
def log(request: pytest.FixtureRequest, stream: Logged) -> RequestLog:
    """As a gateway writes it, and as a process that has its own logging: the same lines."""
    logs = configure_logs("info", stream)
    return RequestLog(None, logs.write_request) if request.param == "its own way" else RequestLog()


def test_nothing_is_left_of_what_was_told(log: RequestLog, stream: Logged) -> None:
    """Neither of receipts nor of what went over them: a worker has lines for months."""
    receipts = [served(), served(tenant="grünwald")]
    log.observe(*receipts)
    gc.collect()
    known = len(gc.get_objects())
    for _ in range(100):
        log.observe(*receipts)
        stream.seek(0)
        stream.truncate()
    gc.collect()
    assert len(gc.get_objects()) < known + 100


def test_a_request_is_one_line(log: RequestLog, stream: Logged) -> None:
    """With who, what, where, how it ended, and why it went there; flat, times rounded."""
    log.observe(
        served(
            **SPILLED,
            duration=1.23456789,
            trace_id="ab" * 16,
            client="203.0.113.9",
            flags=("estimated",),
            findings=(FLAGGED,),
        )
    )

    (line,) = stream.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "req-1",
        "trace_id": "ab" * 16,
        "client": "203.0.113.9",
        "tenant": "search",
        "key_id": "k1",
        "operation": "chat_completions",
        "model": "gpt-4o",
        "stream": True,
        "deployment": "paygo",
        "deployment_kind": "paygo",
        "status": 200,
        "outcome": "finished",
        "error": None,
        "error_type": None,
        "spill": "throttled",
        "cache": "bypass",
        "cache_reason": "off",
        "attempts": 2,
        "tried": ["ptu-east 429 throttled 10ms", "paygo no_answer failed 490ms"],
        "skipped": ["ptu-west held", "ptu-north predicted"],
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "output_tokens": 50,
        "reasoning_tokens": 20,
        "cost_usd": 0.002,
        "saved_usd": 0.0,
        "duration_s": 1.2346,
        "time_to_first_token_s": 0.51,
        "bytes": 1000,
        "degraded": None,
        "flags": ["estimated"],
        "policies": ["flag pattern card"],
        "errand": None,
    }


def test_every_line_has_every_field(log: RequestLog, stream: Logged) -> None:
    """What was never known is null: an early refusal, a hit, an errand are lines as any other."""
    nothing = dict.fromkeys(("operation", "tenant", "key_id", "model", "deployment", "usage"))
    hit = CacheRecord(CacheResult.SEMANTIC, reason="", saved_nano_usd=5_000_000)
    log.observe(served(**nothing, plan=None, attempts=(), status=401, outcome=Outcome.REFUSED))
    log.observe(served(cache=hit, attempts=(), errand=Purpose.EMBEDDING))
    log.observe(served(reservation=reservation(degraded="fail_open")))

    refused, saved, degraded = stream.lines
    for line in stream.lines:
        assert list(line) == [*FIELDS, "event", "level", "time"]
    assert (refused["status"], refused["tenant"], refused["attempts"]) == (401, None, 0)
    assert (refused["error_type"], refused["input_tokens"]) == ("invalid_request", None)
    assert (saved["cache"], saved["saved_usd"], saved["errand"]) == ("semantic", 0.005, "embedding")
    assert degraded["degraded"] == "fail_open"


def test_its_words_are_those_of_the_ledger_and_of_explanations() -> None:
    """A name that only the log has is a decision, and stands here."""
    elsewhere = {*LedgerRow.__struct_fields__, *Explanation.__struct_fields__}
    assert set(FIELDS) - elsewhere == {
        "trace_id",
        "client",
        "error_type",
        "cache_reason",
        "tried",
        "input_tokens",
        "cached_input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "cost_usd",
        "saved_usd",
        "bytes",
        "degraded",
    }


def test_strangers_cannot_fill_the_disk(stream: Logged) -> None:
    """A scan has so many lines a minute, and then a number; tenants' requests are all there."""
    logs = configure_logs("info", stream)
    clock = FakeClock()
    flood = Flood(clock.now)
    log = RequestLog(flood, logs.write_request)
    for second in range(60):
        for _ in range(100):
            log.observe(served(tenant=None, status=401, request_id="stranger"))
            log.observe(served(request_id=f"tenant {second}"))
        clock.advance(1)

    lines = Counter(line["request_id"].partition(" ")[0] for line in stream.lines)
    assert lines["tenant"] == 6000
    assert STRANGERS_BURST <= lines["stranger"] <= STRANGERS_BURST + 60
    assert flood.take_held_back() == {"request: 401": 6000 - lines["stranger"]}
    assert flood.take_held_back() == {}
    assert logs.dropped_total == 0


@pytest.mark.parametrize(
    ("policy", "ordinary", "spilled"),
    [
        (RequestPolicy(), 500, 500),
        (RequestPolicy(ordinary=False, extraordinary=False), 0, 0),
        (RequestPolicy(sample=0.0), 0, 500),
        (RequestPolicy(sample=0.1), 50, 500),
    ],
)
def test_there_are_lines_of_the_requests_that_are_wanted(
    log: RequestLog, stream: Logged, policy: RequestPolicy, ordinary: int, spilled: int
) -> None:
    """All, none, or what is out of the ordinary and a part of the rest."""
    log.policy = policy
    for number in range(500):
        log.observe(served(request_id=f"req-{number}"))
        log.observe(served(request_id=f"req-{number}", **SPILLED))

    lines = Counter(line["spill"] for line in stream.lines)
    assert lines["throttled"] == spilled
    assert abs(lines["none"] - ordinary) <= 0.05 * 500
    assert policy.sample != 1 or lines["none"] == ordinary


@pytest.mark.parametrize(
    "change",
    [
        {"status": 500},
        {"outcome": Outcome.CLIENT_DISCONNECTED},
        {"flags": ("estimated",)},
        {"findings": (FLAGGED,)},
        {"reservation": reservation(degraded="fail_open")},
    ],
)
def test_what_went_wrong_is_no_ordinary_request(
    log: RequestLog, stream: Logged, change: dict[str, object]
) -> None:
    """It has its line whatever the sample."""
    log.policy = RequestPolicy(sample=0.0)
    log.observe(served(**change))
    assert len(stream.lines) == 1


def test_a_line_of_several_processes_says_which(stream: Logged) -> None:
    """Before all else, as in every other line."""
    logs = configure_logs("info", stream)
    logs.share(3, None)
    RequestLog(None, logs.write_request).observe(served())
    structlog.get_logger().info("another")

    request, other = stream.lines
    assert list(request)[:2] == ["worker", "pid"]
    assert (request["worker"], request["pid"]) == (other["worker"], other["pid"])


def test_the_level_holds_for_requests(stream: Logged) -> None:
    """From the next one on."""
    logs = configure_logs("warning", stream)
    log = RequestLog(None, logs.write_request)
    log.observe(served())
    logs.threshold.set("info")
    log.observe(served(request_id="loud"))

    assert [line["request_id"] for line in stream.lines] == ["loud"]


EVIL = [
    "a\nb",
    "\x1b[2J",
    "\x7f",
    "\u2028",
    '","event":"forged',
    "\ud800",
    "é" * 5000,
    "sk-" + "a" * 40,
]


@pytest.mark.parametrize("evil", EVIL)
def test_no_name_can_forge_a_line(log: RequestLog, stream: Logged, evil: str) -> None:
    """Whoever chose it, and wherever it stands."""
    tried = (Attempt(evil, 0, Verdict.ACCEPT, 200, 5.0, 5.01),)
    skipped = (Absence(evil, 0, SpillReason.HELD, 9.0),)
    named = dict.fromkeys(("request_id", "tenant", "key_id", "model", "deployment", "error"), evil)
    log.observe(served(**named, attempts=tried, skipped=skipped, plan=None))

    assert stream.text.count("\n") == 1
    assert stream.text.isascii()
    assert stream.text.rstrip("\n").isprintable()
    (line,) = stream.lines
    assert list(line) == [*FIELDS, "event", "level", "time"]
    assert {len(line[name]) <= MAX_FIELD for name in named} == {True}
    assert "a" * 40 not in stream.text


def test_a_secret_is_taken_out_from_the_line_on_that_it_is_known(stream: Logged) -> None:
    """Also where it was a name before, whatever of."""
    logs = configure_logs("info", stream)
    log = RequestLog(None, logs.write_request)
    word = "a-word-of-mine"
    named = dict.fromkeys(("tenant", "key_id", "model", "deployment", "error"), word)
    tried = (Attempt(word, 0, Verdict.ACCEPT, 200, 5.0, 5.01),)
    skipped = (Absence(word, 0, SpillReason.HELD, 9.0),)
    found = (Finding(PolicyKind.PATTERN, word, Action.FLAG),)
    receipt = served(**named, attempts=tried, skipped=skipped, findings=found)
    log.observe(receipt)
    logs.redaction.know([word])
    log.observe(receipt, served(request_id=word))

    before, after, other = stream.lines
    assert {name: before[name] for name in named} == named
    assert before["tried"] == [f"{word} 200 accept 10ms"]
    assert word not in stream.text.splitlines()[1]
    assert {after[name] for name in named} == {REDACTED}
    assert other["request_id"] == REDACTED


def test_of_several_ids_only_those_with_secrets_are_changed(
    log: RequestLog, stream: Logged
) -> None:
    """They are looked at together; one that is not as it should be changes no other."""
    ids = ["one", "sk-" + "a" * 40, "three\n", "four"]
    log.observe(*(served(request_id=each) for each in ids))
    log.observe(*(served(request_id=each) for each in ("five", "six")))
    written = [line["request_id"] for line in stream.lines]
    assert written == ["one", REDACTED, "three\\n", "four", "five", "six"]


def test_a_known_secret_is_taken_out_of_several_ids(stream: Logged) -> None:
    """Be it the whole of one of them, or a part."""
    logs = configure_logs("info", stream)
    logs.redaction.know(["a-word-of-mine", "much longer than any of these ids is"])
    log = RequestLog(None, logs.write_request)
    log.observe(
        *(served(request_id=each) for each in ("one", "a-word-of-mine", "x-a-word-of-mine"))
    )
    written = [line["request_id"] for line in stream.lines]
    assert written == ["one", REDACTED, f"x-{REDACTED}"]
