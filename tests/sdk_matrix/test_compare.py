"""The comparison itself: what must show does show, and what is volatile does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sdk_matrix.compare import Cell, cell_of, unused
from tests.sdk_matrix.report import failures, table, with_results

NOT_FOUND = {"error": "NotFoundError", "status_code": 404, "code": None, "has_request_id": True}


def cell(gateway: Any, direct: Any, operation: str = "chat", upstream: str = "v1") -> Cell:
    result = {
        "client": "OpenAI",
        "kind": "async",
        "upstream": upstream,
        "operation": operation,
        "gateway": gateway,
        "direct": direct,
    }
    return cell_of("python 9.9.9", result)


def test_ids_and_times_may_differ() -> None:
    """Two calls never have the same id, and seldom the same second."""
    first = {"id": "chatcmpl-1", "created": 1, "text": "Blue"}
    assert cell(first, {**first, "id": "chatcmpl-2", "created": 2}).difference is None


@pytest.mark.parametrize(
    ("gateway", "direct"),
    [
        ({"text": "Blue"}, {"text": "Red"}),
        ({"text": "Blue"}, {"text": "Blue", "logprobs": None}),
        ([{"text": "Blue"}], [{"text": "Blue"}, {"usage": {"total_tokens": 3}}]),
        ({"index": 1}, {"index": True}),
        ({"id": "cmpl-1"}, {"id": "chatcmpl-1"}),
        ({"id": ""}, {"id": "chatcmpl-1"}),
        ({"created": 0}, {"created": 5}),
        ([{"id": "chatcmpl-1"}, {"id": "chatcmpl-2"}], [{"id": "chatcmpl-3"}] * 2),
        ({"choices": [], "usage": {"total_tokens": 3}}, {"choices": []}),
        ({"usage": None, "status": "x"}, {"status": "x"}),
    ],
)
def test_everything_else_shows(gateway: Any, direct: Any) -> None:
    """Content, absence, length, type, kind of id, and ids that do not belong together."""
    assert cell(gateway, direct).difference is not None


def test_usage_that_is_null_on_chunks_does_not_count() -> None:
    """The gateway asks for usage where the caller does not, and Azure then writes the null."""
    assert cell({"choices": [], "usage": None}, {"choices": []}).difference is None


def test_the_same_crash_on_both_sides_is_no_success() -> None:
    """A driver that cannot call at all would otherwise agree with itself."""
    crash = {"error": "TypeError", "crash": "no such argument"}
    assert "no such argument" in (cell(crash, crash).difference or "")


def test_the_same_refusal_of_what_must_work_is_no_success() -> None:
    """Nor would a refusal of both."""
    assert "NotFoundError" in (cell(NOT_FOUND, NOT_FOUND).difference or "")


def test_an_answer_where_an_error_is_due_is_no_success() -> None:
    """An operation named for an error raises one."""
    assert "no error" in (
        cell({"value": 1}, {"value": 1}, "errors.wrong_key.chat").difference or ""
    )


def test_a_declared_difference_is_noted_and_no_more_is() -> None:
    """The code may differ where it is declared; the status may not."""
    other = NOT_FOUND | {"code": "model_not_found"}
    noted = cell(other, NOT_FOUND, "errors.unknown_model.chat", upstream="v1")
    assert noted.difference is None
    assert len(noted.declared) == 1
    worse = cell(
        other | {"status_code": 400}, NOT_FOUND, "errors.unknown_model.chat", upstream="v1"
    )
    assert worse.difference == ".status_code: gateway 400, direct 404"


def test_a_declared_difference_that_is_gone_is_told() -> None:
    """Declarations do not outlive their cause."""
    same = cell(NOT_FOUND, NOT_FOUND, "errors.unknown_model.chat", upstream="v1")
    reasons = [reason for reason in unused([same]) if "its own keys" in reason]
    assert len(reasons) == 1
    assert any("its own keys" in line for line in failures([same]))


def test_the_table_counts_and_the_page_takes_it() -> None:
    """A cell stands for all comparisons of its column, and the text around the table stays."""
    cells = [cell("Blue", "Blue"), cell("Blue", "Red", upstream="classic")]
    assert "| `chat` | DIFFERENT 1/2 |" in table(cells)
    assert "| `chat` | ok 1 |" in table(cells[:1])
    page = "before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n"
    made = with_results(page, cells[:1])
    assert made.startswith("before\n")
    assert made.endswith("\nafter\n")
    assert "old" not in made
    assert with_results(made, cells[:1]) == made
