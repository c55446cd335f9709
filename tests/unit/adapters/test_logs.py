from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from app.adapters.logs import MAX_FIELD, configure_logs
from app.adapters.receipt_log import ReceiptLog
from app.domain.call.request import Operation
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.route import Absence, RoutePlan


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where logs go; what was set up before is set up again afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().split("\n")[:-1]]


def receipt(**changes: Any) -> Receipt:
    fields: dict[str, Any] = {
        "request_id": "req-1",
        "started_at": 1000.5,
        "duration": 0.25,
        "outcome": Outcome.FINISHED,
        "operation": Operation.CHAT_COMPLETIONS,
        "stream": True,
        "status": 200,
        "error": None,
        "tenant": "search",
        "key_id": "k1",
        "model": "gpt-4o",
        "deployment": "paygo",
        "deployment_kind": "paygo",
        "spill": SpillReason.THROTTLED,
        "usage": Usage(input=10, cached=4, output=5),
        "attempts": (
            Attempt("ptu-east", 0, Verdict.THROTTLED, 429, 5.0, 5.01, retry_after_s=2.0),
            Attempt("paygo", 1, Verdict.FAILED, None, 5.01, 5.5),
        ),
        "plan": RoutePlan((), (Absence("ptu-west", 0, SpillReason.HELD, 9.0),)),
        "skipped": (Absence("ptu-north", 0, SpillReason.PREDICTED, 7.0),),
        "time_to_first_token": 0.125,
        "bytes_relayed": 100,
        "frames_relayed": 3,
    }
    return Receipt(**(fields | changes))


def test_a_request_is_one_line(stream: io.StringIO) -> None:
    """With who, what, where, how it ended, and why it went there."""
    configure_logs("info", stream)
    ReceiptLog().observe(receipt())

    (line,) = lines_of(stream)
    assert line.pop("time").endswith("Z")
    assert line.pop("cache")["result"] == "bypass"
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "req-1",
        "started_at": 1000.5,
        "duration": 0.25,
        "outcome": "finished",
        "operation": "chat_completions",
        "stream": True,
        "status": 200,
        "error": None,
        "errand": None,
        "tenant": "search",
        "key_id": "k1",
        "model": "gpt-4o",
        "deployment": "paygo",
        "deployment_kind": "paygo",
        "nano_usd": 0,
        "flags": [],
        "spill": "throttled",
        "usage": {"input": 10, "cached": 4, "output": 5, "reasoning": 0},
        "attempts": ["ptu-east 429 throttled 10ms", "paygo no_answer failed 490ms"],
        "skipped": ["ptu-west held", "ptu-north predicted"],
        "time_to_first_token": 0.125,
        "bytes_relayed": 100,
        "frames_relayed": 3,
        "trace_id": None,
    }


def test_an_early_refusal_is_a_line_too(stream: io.StringIO) -> None:
    """What was never known is null."""
    configure_logs("info", stream)
    nothing = dict.fromkeys(("operation", "tenant", "key_id", "model", "deployment", "usage"))
    ReceiptLog().observe(
        receipt(**nothing, plan=None, attempts=(), status=401, outcome=Outcome.REFUSED)
    )

    (line,) = lines_of(stream)
    assert (line["status"], line["tenant"], line["attempts"]) == (401, None, [])


@pytest.mark.parametrize(
    "evil", ["a\nb", "\x1b[2J", "\x7f", "\x85", "\u2028", "a\r\n{}", "\x00", "\ud800"]
)
def test_no_field_can_forge_a_line(stream: io.StringIO, evil: str) -> None:
    """Control characters come out as text, wherever they stand."""
    configure_logs("info", stream)
    structlog.get_logger().info("request", model=evil, nested={"list": [evil]}, **{evil: 1})

    text = stream.getvalue()
    assert text.count("\n") == 1
    assert text.isascii()
    assert text.rstrip("\n").isprintable()
    (line,) = lines_of(stream)
    assert line["model"] == line["nested"]["list"][0]


def test_a_field_has_an_end(stream: io.StringIO) -> None:
    """A name of megabytes costs kilobytes."""
    configure_logs("info", stream)
    structlog.get_logger().info("request", model="x" * 10**6, escaped="\n" * 10**6)

    (line,) = lines_of(stream)
    assert len(line["model"]) == len(line["escaped"]) == MAX_FIELD


def test_the_level_holds(stream: io.StringIO) -> None:
    """Below it nothing is written."""
    configure_logs("warning", stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert [line["event"] for line in lines_of(stream)] == ["loud"]


def test_libraries_log_in_the_same_form(stream: io.StringIO) -> None:
    """Their warnings are lines of JSON with their name; what is less is left out."""
    configure_logs("debug", stream)
    logging.getLogger("azure.identity").info("chatter")
    logging.getLogger("azure.identity").warning("trouble: %s", "x\ny")

    (line,) = lines_of(stream)
    assert (line["level"], line["logger"]) == ("warning", "azure.identity")
    assert line["event"] == "trouble: x\\ny"


def test_a_failure_brings_its_traceback(stream: io.StringIO) -> None:
    """Whole and in one line of the log, ours and the libraries', and without local variables."""
    configure_logs("info", stream)
    hidden = bytes(range(65, 75)).decode()  # nowhere in the source, which tracebacks show
    try:
        raise ValueError("broken")  # noqa: TRY301  # there must be something to trace
    except ValueError:
        structlog.get_logger().exception("internal_error")
        logging.getLogger("aiohttp").exception("trouble")

    for line in lines_of(stream):
        assert line["exception"].splitlines()[-1] == "ValueError: broken"
    assert len(lines_of(stream)) == 2
    assert hidden not in stream.getvalue()
