"""The cache commands."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.admin_api import Answer, Asked, FakeAdminApi
from tests.fakes.command_line import Run, golden

ANSWER: dict[str, Any] = {
    "fingerprint": "0123456789abcdef0123456789abcdef",
    "request_id": "req_1",
    "model": "gpt-4o",
    "operation": "chat_completions",
    "stored_at": 1_795_248_000.0,
    "expires_at": 1_795_251_600.5,
    "bytes": 1234,
    "by_meaning": True,
    "prompt": "How do I reset\nmy password?",
}
LONG = ANSWER | {
    "request_id": "req_2",
    "by_meaning": False,
    "prompt": "\x1b[2JPlease " + "go on and " * 10,
}
TOTALS = {"tenant": "search", "answers": 1200, "bytes": 3_456_789}


def _two_pages(asked: Asked) -> Answer:
    if "cursor" in asked.query:
        return Answer({"data": [LONG], "next": None})
    return Answer({"data": [ANSWER], "next": "7"})


def test_a_list_has_all_pages_and_a_line_for_each_answer(api: FakeAdminApi, run: Run) -> None:
    """The beginning of a prompt on one line, without what would steer a terminal."""
    api.handle("GET", "cache/search/answers", _two_pages)
    assert run("cache", "list", "search").lines == golden("cache_list")
    assert run("cache", "list", "search", "--json").json == {"data": [ANSWER, LONG], "next": None}


def test_totals_of_all_tenants_or_one(api: FakeAdminApi, run: Run) -> None:
    """As a table and as the API's JSON."""
    api.answer("GET", "cache", {"data": [TOTALS], "next": None})
    api.answer("GET", "cache/search/totals", {"data": TOTALS})
    expected = ["TENANT  ANSWERS      BYTES", "search    1,200  3,456,789"]
    assert run("cache", "totals").lines == run("cache", "totals", "search").lines == expected
    assert run("cache", "totals", "search", "--json").json == {"data": TOTALS}


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (("--request", "req_1"), {"request_id": "req_1"}),
        (("--fingerprint", "ab" * 16), {"fingerprint": "ab" * 16}),
        (("--model", "gpt-4o", "--yes"), {"model": "gpt-4o"}),
        (
            ("--model", "gpt-4o", "--prompt-prefix", "How do", "--yes"),
            {"model": "gpt-4o", "prompt_prefix": "How do"},
        ),
        (("--all", "-y"), {"all": True}),
    ],
)
def test_evicting_says_how_many(
    api: FakeAdminApi, run: Run, options: tuple[str, ...], body: dict[str, Any]
) -> None:
    """What is selected is sent as it was given."""
    answer = {"data": {"tenant": "search", "evicted": 1, "fingerprint": None}}
    api.answer("POST", "cache/search/evictions", answer)
    result = run("cache", "evict", "search", *options)
    assert (result.exit_code, result.out, result.err) == (0, "1 answer evicted\n", "")
    assert api.last.body == body
    assert run("cache", "evict", "search", *options, "--json").json == answer
    api.answer("POST", "cache/search/evictions", {"data": answer["data"] | {"recorded": False}})
    assert "audit log could not be written" in run("cache", "evict", "search", *options).err


def test_a_request_that_nothing_is_known_of_is_said(api: FakeAdminApi, run: Run) -> None:
    """So that nobody takes it for an answer that was gone already."""
    told = {"tenant": "search", "evicted": 0, "fingerprint": None}
    api.answer("POST", "cache/search/evictions", {"data": told})
    result = run("cache", "evict", "search", "--request", "req_1")
    assert (result.exit_code, result.out) == (0, "0 answers evicted\n")
    assert "nothing is known of that request" in result.err
    api.answer("POST", "cache/search/evictions", {"data": told | {"fingerprint": "ab"}})
    assert run("cache", "evict", "search", "--request", "req_1").err == ""


@pytest.mark.parametrize(
    "options",
    [(), ("--request", "a", "--all"), ("--fingerprint", "a", "--model", "b"), ("--yes",)],
)
def test_what_selects_nothing_clearly_is_a_usage_mistake(
    api: FakeAdminApi, run: Run, options: tuple[str, ...]
) -> None:
    """Exit code 2, and nothing is asked."""
    result = run("cache", "evict", "search", *options)
    assert (result.exit_code, api.asked) == (2, [])
    assert "give --request" in result.err


ERROR = {
    "tenant": "search",
    "model": "gpt-4o",
    "samples": 1234,
    "false_hits": 5,
    "undecided": 7,
    "rate": 0.00405,
    "low": 0.0017,
    "high": 0.0094,
    "threshold": 0.38,
    "widest": 0.5,
}


def test_measured_errors_of_all_tenants_or_one(api: FakeAdminApi, run: Run) -> None:
    """With how sure they are, and what they leave of the threshold."""
    api.answer("GET", "cache/errors", {"data": [ERROR], "next": None})
    api.answer("GET", "cache/search/errors", {"data": [ERROR]})
    expected = [
        "TENANT  MODEL   COMPARED  WRONG  UNDECIDED   RATE            95 %  THRESHOLD  WIDEST",
        "search  gpt-4o     1,234      5          7  0.4 %  0.2 % to 0.9 %       0.38    0.50",
    ]
    assert run("cache", "errors").lines == run("cache", "errors", "search").lines == expected
    assert run("cache", "errors", "search", "--json").json == {"data": [ERROR]}


@pytest.mark.parametrize(
    ("counted", "said"),
    [(True, "1 answer evicted, counted as a false hit"), (False, "1 answer evicted, not counted")],
)
def test_telling_of_a_wrong_answer(api: FakeAdminApi, run: Run, counted: object, said: str) -> None:
    """By the request or by the fingerprint, not by both."""
    answer = {"data": {"tenant": "search", "evicted": 1, "counted": counted}}
    api.answer("POST", "cache/search/wrong-hits", answer)
    assert run("cache", "wrong", "search", "--request", "req_1").lines == [said]
    assert api.last.body == {"request_id": "req_1"}
    by_digest = ("cache", "wrong", "search", "--fingerprint", "ab" * 16)
    assert run(*by_digest, "--json").json == answer
    assert api.last.body == {"fingerprint": "ab" * 16}
    assert run("cache", "wrong", "search").exit_code == 2
    assert run(*by_digest, "--request", "req_1").exit_code == 2


def test_evicting_many_needs_a_yes_where_nobody_can_be_asked(api: FakeAdminApi, run: Run) -> None:
    """The question names what would go."""
    for options, words in (
        (("--all",), "Evict all answers of tenant search?"),
        (("--model", "m"), "Evict the answers by m of tenant search?"),
        (("--prompt-prefix", "p"), "prompts that begin 'p'"),
    ):
        result = run("cache", "evict", "search", *options)
        assert (result.exit_code, words in " ".join(result.err.split())) == (2, True), result.err
    assert api.asked == []
