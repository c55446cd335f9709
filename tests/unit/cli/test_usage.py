"""The usage commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.admin_api import Answer, Asked, FakeAdminApi, refused
from tests.fakes.command_line import NOW, Run, golden

CHAT: dict[str, Any] = {
    "tenant": "search-team",
    "model": "gpt-4o",
    "requests": 1234,
    "released": 1,
    "expired": 0,
    "refused": 56,
    "input": 1_234_567,
    "cached_input": 1000,
    "output": 89_000,
    "reasoning": 0,
    "nano_usd": 12_345_678_900,
    "estimated": 2,
    "unpriced": 0,
}
EMBED = CHAT | {"model": None, "requests": 1, "refused": 0, "input": 7, "cached_input": 0}
EMBED |= {"output": 0, "nano_usd": 900, "estimated": 0}
ROW: dict[str, Any] = {
    "id": "r1",
    "kind": "settled",
    "at": NOW - 60,
    "tenant": "search-team",
    "model": "gpt-4o",
    "deployment": "ptu-east",
    "status": 200,
    "input": 1000,
    "cached_input": 400,
    "output": 100,
    "nano_usd": 3_000_000,
    "flags": ["estimated", "late"],
    "request_id": "req_1",
}


def test_usage_is_a_table_with_its_sum(api: FakeAdminApi, run: Run) -> None:
    """Dollars, and less than the last digit is not nothing."""
    api.answer("GET", "usage", {"data": [CHAT, EMBED]})
    result = run("usage")
    assert result.lines == golden("usage")
    assert api.last.query == {"group_by": "tenant,model", "since": f"{NOW - 7 * 86400:.0f}"}


@pytest.mark.parametrize(
    ("name", "said"),
    [("model", "lists of models"), ("deployment", "what was answered")],
)
def test_usage_says_what_a_dash_is(name: str, said: str, api: FakeAdminApi, run: Run) -> None:
    """Beside the table, and only where there is one."""
    api.answer("GET", "usage", {"data": [CHAT | {name: None}]})
    assert run("usage", "--by", name).err.startswith(f"- under {name.upper()}: {said}")
    api.answer("GET", "usage", {"data": [CHAT | {name: "x"}]})
    assert run("usage", "--by", name).err == ""


def test_usage_by_cache_says_what_was_saved(api: FakeAdminApi, run: Run) -> None:
    """Of each group, and in all; other tables have no such column."""
    hits = CHAT | {"cache": "exact", "saved_nano_usd": 1_500_000_000}
    meant = CHAT | {"cache": "semantic", "saved_nano_usd": 500_000_000}
    api.answer("GET", "usage", {"data": [hits, meant]})
    head, *lines = run("usage", "--by", "cache").lines
    assert head.endswith("SAVED")
    saved = [line.split()[-1] for line in lines if "$" in line]
    assert saved == ["$1.5000", "$0.5000", "$2.0000"]
    assert "SAVED" not in run("usage", "--by", "tenant").lines[0]


def test_usage_on_a_terminal_is_a_table(api: FakeAdminApi, on_terminal: Run) -> None:
    """Of one group there is no sum."""
    api.answer("GET", "usage", {"data": [CHAT]})
    assert on_terminal("usage", "--by", "model").lines == golden("usage_terminal")


def test_dimensions_period_and_tenant_are_sent(api: FakeAdminApi, run: Run) -> None:
    """A date is midnight in the local zone."""
    api.answer("GET", "usage", {"data": []})
    run(
        *("usage", "--by", "day, tag:project", "--tenant", "a b"),
        *("--since", "2026-11-01", "--until", "2026-11-21T08:00:00+00:00"),
    )
    assert api.last.query == {
        "group_by": "day,tag:project",
        "tenant": "a b",
        "since": "1793487600",
        "until": f"{NOW:.0f}",
    }


@pytest.mark.parametrize("command", [["usage"], ["usage", "ledger"]])
def test_filters_are_sent(api: FakeAdminApi, run: Run, command: list[str]) -> None:
    """Named by options, or any dimension by --where; of tags several."""
    api.answer("GET", "usage", {"data": []})
    api.answer("GET", "ledger", {"data": [], "next": None})
    result = run(
        *(*command, "--key", "Ab3", "--model", "gpt-4o", "--deployment", "ptu-east"),
        *("--where", "spill=held", "--where", "tag:team=a=b", "--where", "tag:env="),
    )
    assert result.exit_code == 0
    sent = {name: of for name, of in api.last.query.items() if name not in {"group_by", "since"}}
    assert sent == {
        "key_id": "Ab3",
        "model": "gpt-4o",
        "deployment": "ptu-east",
        "spill": "held",
        "tag": "team=a=b",
    }
    assert api.last.repeated["tag"] == ["team=a=b", "env="]


@pytest.mark.parametrize("given", ["spill", "format=csv", "tag:=a", "colour=red", "model=b"])
def test_a_filter_that_is_none_is_a_usage_mistake(api: FakeAdminApi, run: Run, given: str) -> None:
    """No dimension, no value, or one that an option has given."""
    assert run("usage", "--model", "a", "--where", given).exit_code == 2
    assert api.asked == []


def test_usage_as_json_is_the_apis_own(api: FakeAdminApi, run: Run, tmp_path: Path) -> None:
    """Nano-dollars stay whole; a file gets the same."""
    api.answer("GET", "usage", {"data": [CHAT]})
    assert run("usage", "--json").json == run("usage", "--format", "json").json == {"data": [CHAT]}
    assert "format" not in api.last.query
    target = tmp_path / "usage.json"
    result = run("usage", "--json", "--output", str(target))
    assert (result.out, target.read_text()) == ("", run("usage", "--json").out)


def test_exports_are_passed_on_byte_for_byte(api: FakeAdminApi, run: Run, tmp_path: Path) -> None:
    """To a pipe or a file, of which no half is ever seen."""
    api.answer("GET", "usage", b"tenant,requests\r\na,1\r\n")
    assert run("usage", "--format", "csv").out == "tenant,requests\r\na,1\r\n"
    assert api.last.query["format"] == "csv"
    content = b"PAR1" + bytes(range(256)) * 1000
    api.answer("GET", "ledger", content)
    target = tmp_path / "ledger.parquet"
    result = run("usage", "ledger", "--format", "parquet", "-o", str(target))
    assert target.read_bytes() == content
    assert (result.out, result.err) == ("", f"{target}: 256,004 bytes\n")
    assert list(tmp_path.iterdir()) == [target]


def test_a_refused_export_leaves_the_file_that_was_there(
    api: FakeAdminApi, run: Run, tmp_path: Path
) -> None:
    """One line says why; nothing half-written is left behind."""
    api.handle("GET", "ledger", lambda _: refused(400, "No Parquet here.", "invalid_request"))
    target = tmp_path / "old.parquet"
    target.write_bytes(b"old")
    result = run("usage", "ledger", "--format", "parquet", "-o", str(target))
    assert (result.exit_code, result.err) == (1, "spillgate: No Parquet here.\n")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_an_export_that_breaks_off_is_not_taken_for_a_whole_one(
    api: FakeAdminApi, run: Run, tmp_path: Path
) -> None:
    """The file that was there stays, and the command fails."""
    api.handle("GET", "ledger", lambda _: Answer(b"PAR1" * 1000, missing=1))
    target = tmp_path / "old.parquet"
    target.write_bytes(b"old")
    result = run("usage", "ledger", "--format", "parquet", "-o", str(target))
    assert result.exit_code == 1
    assert result.err.startswith(f"spillgate: the connection to {api.url} failed")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_cannot_be_written_is_one_line(
    api: FakeAdminApi, run: Run, tmp_path: Path
) -> None:
    """It names the file."""
    api.answer("GET", "usage", b"a\r\n")
    target = tmp_path / "none" / "usage.csv"
    result = run("usage", "--format", "csv", "-o", str(target))
    assert (result.exit_code, result.err) == (
        1,
        f"spillgate: {target}: No such file or directory\n",
    )


def test_usage_mistakes_exit_with_2(api: FakeAdminApi, run: Run) -> None:
    """Among them options that a subcommand would not see."""
    assert run("usage", "--since", "yesterday").exit_code == 2
    assert run("usage", "--by", "a,,b").exit_code == 2
    assert run("usage", "--json", "--format", "csv").exit_code == 2
    before = run("usage", "--since", "30d", "ledger")
    assert before.exit_code == 2
    assert "stand behind it" in before.err
    assert api.asked == []


def test_the_ledger_is_a_table_of_its_first_rows(api: FakeAdminApi, run: Run) -> None:
    """And says that there is more."""
    refusal = ROW | {"kind": "refused", "deployment": None, "status": 429, "flags": []}
    api.answer("GET", "ledger", {"data": [ROW, refusal, ROW], "next": None})
    result = run("usage", "ledger", "--limit", "2")
    assert result.lines == golden("ledger")
    assert result.err == "the first 2 rows; --limit 0 for all, --format csv for a file\n"
    assert run("usage", "ledger", "--limit", "3").err == ""
    assert len(run("usage", "ledger", "--limit", "0").lines) == 4


def test_the_ledger_as_json_is_every_row(api: FakeAdminApi, run: Run) -> None:
    """Over all pages, whatever a table would show."""

    def pages(asked: Asked) -> Answer:
        page = int(asked.query.get("cursor", "0"))
        return Answer({"data": [ROW] * 60, "next": str(page + 1) if page < 2 else None})

    api.handle("GET", "ledger", pages)
    assert run("usage", "ledger", "--json").json == {"data": [ROW] * 180, "next": None}
    assert {asked.query["since"] for asked in api.asked} == {f"{NOW - 86400:.0f}"}
