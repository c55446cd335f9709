"""The audit commands."""

from __future__ import annotations

from typing import Any

from tests.fakes.admin_api import Answer, Asked, FakeAdminApi
from tests.fakes.command_line import NOW, Run, golden


def _record(number: int) -> dict[str, Any]:
    return {
        "number": number,
        "at": NOW,
        "actor": "ada",
        "role": "owner",
        "request_id": f"req_{number}",
        "kind": "tenant",
        "id": "search-team",
        "action": "changed",
        "before": "b" * 64,
        "after": "a" * 64,
        "previous": "p" * 64,
        "hash": "0123456789abcdef" * 4,
    }


def test_records_are_listed_page_after_page(api: FakeAdminApi, run: Run) -> None:
    """From the number that is given."""

    def pages(asked: Asked) -> Answer:
        number = int(asked.query["after"]) + 1
        return Answer({"data": [_record(number)], "next": number if number < 1002 else None})

    api.handle("GET", "audit", pages)
    assert run("audit", "list", "--after", "1000").lines == golden("audit_list")
    data = run("audit", "list", "--after", "1000", "--json").json
    assert data == {"data": [_record(1001), _record(1002)], "next": None}


def test_a_whole_log_is_said_to_be_whole(api: FakeAdminApi, run: Run) -> None:
    """With the number of its records."""
    api.answer("GET", "audit/verify", {"data": {"records": 1234, "faults": []}})
    result = run("audit", "verify")
    assert (result.exit_code, result.out) == (0, "1,234 records, the chain is whole\n")


def test_a_log_that_is_not_whole_exits_with_1(api: FakeAdminApi, run: Run) -> None:
    """Each fault on a line; a script sees the exit code too."""
    answer = {"data": {"records": 3, "faults": ["record 2: its content was altered"]}}
    api.answer("GET", "audit/verify", answer)
    result = run("audit", "verify")
    assert (result.exit_code, result.out) == (1, "record 2: its content was altered\n")
    assert result.err == (
        "spillgate: the audit log is not whole: compare it with a copy kept elsewhere\n"
    )
    as_json = run("audit", "verify", "--json")
    assert (as_json.exit_code, as_json.json) == (1, answer)
