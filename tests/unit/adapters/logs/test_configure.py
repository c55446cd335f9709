from __future__ import annotations

import asyncio
import logging
import warnings

import pytest
import structlog

from app.adapters.logs import MAX_FIELD, configure_logs
from app.adapters.logs.configure import loop_trouble
from tests.unit.adapters.logs.conftest import Logged


@pytest.mark.parametrize(
    "evil", ["a\nb", "\x1b[2J", "\x7f", "\x85", "\u2028", "a\r\n{}", "\x00", "\ud800"]
)
def test_no_field_can_forge_a_line(stream: Logged, evil: str) -> None:
    """Control characters come out as text, wherever they stand."""
    configure_logs("info", stream)
    structlog.get_logger().info("request", model=evil, nested={"list": [evil]}, **{evil: 1})

    assert stream.text.count("\n") == 1
    assert stream.text.isascii()
    assert stream.text.rstrip("\n").isprintable()
    (line,) = stream.lines
    assert line["model"] == line["nested"]["list"][0]
    assert line["model"].isprintable()


def test_a_field_has_an_end(stream: Logged) -> None:
    """A name of megabytes costs kilobytes."""
    configure_logs("info", stream)
    structlog.get_logger().info("request", model="x" * 10**6, escaped="\n" * 10**6)

    (line,) = stream.lines
    assert len(line["model"]) == len(line["escaped"]) == MAX_FIELD


def test_what_is_no_json_is_shown_as_it_is_represented(stream: Logged) -> None:
    """Numbers that JSON does not have, sets, objects: the line is read all the same."""
    configure_logs("info", stream)
    structlog.get_logger().info("odd", far=float("inf"), large=2**80, pair=(1, {2}), by={3: 4})

    (line,) = stream.lines
    assert (line["far"], line["large"]) == ("inf", 2**80)
    assert (line["pair"], line["by"]) == ([1, "{2}"], {"3": 4})


def test_the_level_holds(stream: Logged) -> None:
    """Below it nothing is written."""
    configure_logs("warning", stream)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")

    assert [line["event"] for line in stream.lines] == ["loud"]


def test_the_level_is_changed_for_loggers_that_are_there(stream: Logged) -> None:
    """From the next line on, whoever made the logger and when."""
    log = structlog.get_logger().bind()
    log.warning("to nowhere in particular")
    logs = configure_logs("warning", stream)
    log = structlog.get_logger().bind()
    log.debug("quiet")
    logs.threshold.set("debug")
    log.debug("loud")

    assert [line["event"] for line in stream.lines] == ["loud"]


def test_libraries_log_in_the_same_form(stream: Logged) -> None:
    """Their warnings are lines of JSON with their name; what is less is left out."""
    configure_logs("debug", stream)
    logging.getLogger("uvicorn.error").info("chatter")
    logging.getLogger("uvicorn.error").warning("trouble: %s", "x\ny")

    (line,) = stream.lines
    assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")
    assert line["event"] == "trouble: x\\ny"


def test_what_a_library_quotes_is_left_out(stream: Logged) -> None:
    """azure-identity quotes the whole of an answer that lacks a field, be there a token in it."""
    configure_logs("debug", stream)
    identity = logging.getLogger("azure.identity.aio._internal.get_token_mixin")
    identity.warning("%s failed: %s", "Credential.get_token", 'Content: {"access_token": "secret"}')

    (line,) = stream.lines
    assert line["event"] == "Credential.get_token failed"


@pytest.mark.parametrize(
    "name",
    ["openai._base_client", "aiohttp.client", "uvicorn.error", "redis", "httpx2", "asyncio", "x"],
)
def test_libraries_never_tell_of_requests(stream: Logged, name: str) -> None:
    """Their debug lines hold bodies: not at our debug level, nor with a level of their own."""
    configure_logs("debug", stream)
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.debug("Request options: %s", {"json_data": {"messages": "a prompt"}})
    logger.info("HTTP Request: POST ?q=a prompt")
    logger.setLevel(before)

    assert stream.text == ""


def test_warnings_of_python_are_lines_too(stream: Logged) -> None:
    """Standard error has nothing but JSON in it."""
    configure_logs("info", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("deprecated", DeprecationWarning, stacklevel=1)

    (line,) = stream.lines
    assert line["logger"] == "py.warnings"


def raise_with_a_cause(secret: str) -> None:
    local = {"a local variable": secret}
    try:
        int(secret)
    except ValueError as error:
        raise KeyError(secret, local) from error


def test_a_failure_tells_where_and_not_what(stream: Logged) -> None:
    """Types and places of the whole chain, ours and libraries'; no words, no local variables."""
    configure_logs("info", stream)
    hidden = bytes(range(65, 75)).decode()  # nowhere in the source, which tracebacks show
    try:
        raise_with_a_cause(hidden)
    except KeyError as error:
        structlog.get_logger().exception("internal_error")
        structlog.get_logger().error("internal_error", exc_info=error)
        logging.getLogger("aiohttp").exception("trouble")

    assert len(stream.lines) == 3
    for line in stream.lines:
        told = line["exception"].splitlines()
        assert told[-1] == "KeyError"
        assert "ValueError" in told
        assert "in raise_with_a_cause" in line["exception"]
    assert hidden not in stream.text


def test_a_failure_of_several_tells_of_each(stream: Logged) -> None:
    """A group is as much as what is in it."""
    configure_logs("info", stream)
    try:
        raise ExceptionGroup(  # noqa: TRY301  # there must be something to trace
            "words", [ValueError("words"), OSError(28, "No space left", "/a/b")]
        )
    except ExceptionGroup:
        structlog.get_logger().exception("internal_error")

    (line,) = stream.lines
    assert "within it: ValueError\n" in line["exception"]
    assert "within it: OSError: [Errno 28] No space left" in line["exception"]
    assert "words" not in line["exception"].replace('"words"', "")


def test_an_endless_recursion_has_an_end_in_the_log(stream: Logged) -> None:
    """Its last frames are enough."""
    configure_logs("info", stream)

    def again(depth: int) -> int:
        return again(depth + 1) + 1

    try:
        again(0)
    except RecursionError:
        structlog.get_logger().exception("internal_error")

    (line,) = stream.lines
    assert len(line["exception"]) < 4096


async def test_what_a_loop_reports_is_told_without_its_words(stream: Logged) -> None:
    """Through our handler as through asyncio's own, which shows exceptions as they are."""
    configure_logs("info", stream)
    secret = "a canary"
    error = ValueError(secret)
    context = {"message": "Task exception was never retrieved", "exception": error, "task": error}
    loop = asyncio.get_running_loop()
    loop_trouble(loop, context)
    loop.default_exception_handler(context)

    ours, theirs = stream.lines
    assert ours["what"] == theirs["event"] == context["message"]
    assert ours["exception"] == theirs["exception"] == "ValueError"
    assert secret not in stream.text


def test_a_flood_is_cut_and_counted(stream: Logged) -> None:
    """One event written over and over leaves room for others, and for how often it was."""
    logs = configure_logs("info", stream)
    for _ in range(5000):
        structlog.get_logger().warning("not a request")
        logging.getLogger("uvicorn.error").warning("Invalid %s", "thing")
    structlog.get_logger().warning("another")
    logs.close()

    events = [line["event"] for line in stream.lines]
    assert events.count("not a request") == events.count("Invalid thing") <= 310
    assert events.count("another") == 1
    told = stream.lines[-1]
    assert told["event"] == "log_lines_held_back"
    assert told["of"]["not a request"] == 5000 - events.count("not a request")
    assert told["count"] == sum(told["of"].values())
