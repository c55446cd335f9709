from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.verdict import Unreadable, judge, main, read_limits, read_statistics


def entry(method: str, name: str, times: dict[str, int], failed: int = 0) -> dict[str, Any]:
    """As Locust 2.47 writes it, as far as it is read."""
    return {
        "name": name,
        "method": method,
        "num_requests": sum(times.values()),
        "num_failures": failed,
        "total_response_time": sum(float(time) * count for time, count in times.items()),
        "response_times": times,
    }


STATISTICS = json.dumps(
    [
        entry("POST", "chat", {"900": 8, "600": 101, "500": 88, "1500": 2, "2000": 1}, failed=4),
        entry("TTFT", "chat", {"150": 186, "240": 10}),
        entry("TTFT", "long, prompt", {"300": 6, "500": 4}),
        entry("POST", "idle", {}),
    ]
)


def broken(limits: str) -> list[str]:
    found = judge(read_statistics(STATISTICS), read_limits(limits))
    assert found
    return [f"{each.row} {each.limit.kind}" for each in found if not each.kept]


@pytest.mark.parametrize(
    ("kind", "kept", "not_kept"),
    [
        ("median", 600, 599),
        ("average", 584.1, 583.9),
        ("p95", 900, 899),
        ("p99", 1500, 1499),
        ("max", 2000, 1999),
        ("failures", 0.02, 0.019),
        ("at_least", 200, 201),
    ],
)
def test_a_limit_is_kept_up_to_its_bound(kind: str, kept: float, not_kept: float) -> None:
    """Each kind, on the side that it is for."""
    assert broken(f'["POST chat"]\n{kind} = {kept}') == []
    assert len(broken(f'["POST chat"]\n{kind} = {not_kept}')) == 1


def test_a_pattern_is_for_every_row_that_matches() -> None:
    """And requests are those of all of them."""
    assert broken('["TTFT *"]\np95 = 240') == ["TTFT long, prompt p95"]
    assert broken('["TTFT *"]\nat_least = 206') == []
    assert broken('["TTFT *"]\nat_least = 207') == ["requests at_least"]


def test_what_was_not_measured_is_not_kept_unless_it_may_be_missing() -> None:
    """A scenario that did not run must not pass for a good one."""
    assert broken('["TTFT agents"]\np95 = 100') == ["no such row p95"]
    assert broken('["POST idle"]\np95 = 100') == ["no such row p95"]
    optional = '["TTFT agents"]\np95 = 100\nat_least = 0'
    assert judge(read_statistics(STATISTICS), read_limits(optional)) == []


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ("[x\n", "limits: "),
        ("x = 3", r"\[x\] has to be a table"),
        ("[x]\n", r"\[x\] has to be a table"),
        ("[x]\np42 = 3", r"\[x\] p42: there are: at_least, average, failures, max, median"),
        ("[x]\np95 = 'fast'", r"\[x\] p95: not a number of 0 or more: 'fast'"),
        ("[x]\np95 = true", "not a number"),
        ("[x]\np95 = -1", "not a number"),
    ],
)
def test_limits_that_cannot_be_read_say_where(limits: str, said: str) -> None:
    """A slip in a name must not be a limit that nobody looks at."""
    with pytest.raises(Unreadable, match=said):
        read_limits(limits)


@pytest.mark.parametrize("text", ["", "[3]", '[{"name": "x"}]', '{"a": 1}', "Type,Name"])
def test_statistics_that_cannot_be_read_are_no_verdict(text: str) -> None:
    """Such as a CSV file."""
    with pytest.raises(Unreadable, match="not what Locust's --json-file writes"):
        read_statistics(text)


@given(st.dictionaries(st.integers(0, 9), st.integers(1, 5), min_size=1))
def test_percentiles_are_nearest_ranks(counted: dict[int, int]) -> None:
    """As if the times were written down one by one."""
    times = sorted(time for time, count in counted.items() for _ in range(count))
    (row,) = read_statistics(
        json.dumps([entry("POST", "x", {str(k): v for k, v in counted.items()})])
    )
    for kind, part in (("median", 50), ("p95", 95), ("p99", 99), ("max", 100)):
        assert row.times[kind] == times[-(-part * len(times) // 100) - 1]


def test_the_exit_code_is_the_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """0, 1 with what is not kept, and 2 for what is no file."""
    statistics, limits = tmp_path / "statistics.json", tmp_path / "limits.toml"
    statistics.write_text(STATISTICS)
    limits.write_text('["TTFT chat"]\np95 = 300\n')
    arguments = [str(statistics), "--limits", str(limits)]
    assert main(arguments) == 0
    assert "1 limits kept, 0 not" in capsys.readouterr().out
    limits.write_text('["TTFT chat"]\np95 = 200\n')
    assert main(arguments) == 1
    assert "FAIL  TTFT chat: 240  (p95 <= 200, [TTFT chat])" in capsys.readouterr().out
    assert main([str(tmp_path / "no.json")]) == 2
    assert "no.json" in capsys.readouterr().err


def test_the_limits_that_come_with_it_can_be_read() -> None:
    """They are for rows that the scenarios have."""
    text = (Path(__file__).parents[2] / "loadtest" / "limits.toml").read_text()
    scenarios = (Path(__file__).parents[2] / "loadtest" / "locustfile.py").read_text()
    named = {each.pattern.split(" ", 1)[1].rstrip(" *") for each in read_limits(text)} - {""}
    assert named
    assert [name for name in named if f'"{name}' not in scenarios] == []
