"""`make test` is two passes of pytest that fail, and are judged, as one."""

from __future__ import annotations

import pytest

from tests.passes import ALONE, COVERAGE, NO_TESTS, SHARED, files_of_those_alone, main


class Runs:
    """What pytest was run with, and what each run came to."""

    def __init__(self, *statuses: int) -> None:
        self.arguments: list[tuple[str, ...]] = []
        self._statuses = list(statuses)

    def __call__(self, *arguments: str) -> int:
        self.arguments.append(arguments)
        return self._statuses.pop(0)


@pytest.mark.parametrize(
    ("statuses", "whole"),
    [
        ((0, 0), 0),
        ((1,), 1),
        ((2,), 2),
        ((0, 1), 1),
        ((0, NO_TESTS), 0),
        ((NO_TESTS, 0), 0),
        ((NO_TESTS, 1), 1),
        ((NO_TESTS, NO_TESTS), NO_TESTS),
    ],
)
def test_either_pass_may_fail_and_only_one_needs_tests(
    statuses: tuple[int, ...], whole: int
) -> None:
    """The first that fails is the last, so that what is printed last is what went wrong."""
    runs = Runs(*statuses)
    assert main(["-n", "2"], runs) == whole
    assert len(runs.arguments) == len(statuses)


def test_those_that_need_the_machine_run_one_by_one_afterwards() -> None:
    """With the same arguments, and nothing measured that was not asked for."""
    runs = Runs(0, 0)
    main(["-n", "2"], runs)
    first, second = runs.arguments
    assert first[first.index("-m") + 1] == SHARED
    assert second[second.index("-m") + 1] == ALONE
    assert second[len(second) - 1 - second[::-1].index("-n") + 1] == "0"
    assert not any(each.startswith("--cov") for each in (*first, *second))


def test_of_the_others_files_nothing_is_read_again() -> None:
    """Unless somebody says which are to be run."""
    runs = Runs(0, 0, 0, 0)
    main(["-n", "2"], runs)
    main(["-n", "2", "tests/e2e"], runs)
    everything, some, marked = runs.arguments[0], runs.arguments[3], runs.arguments[1]
    files = files_of_those_alone()
    assert "tests/unit/domain/tracing/test_redaction.py" in files
    assert __name__.rpartition(".")[2] not in " ".join(files)
    assert [each for each in marked if each.endswith(".py")] == files
    assert not any(each.endswith(".py") for each in (*everything, *some))


def test_coverage_is_added_up_and_judged_at_the_end() -> None:
    """Of the first pass alone there is no saying."""
    runs = Runs(0, 0)
    main(["-n", "2", COVERAGE], runs)
    first, second = runs.arguments
    assert "--cov-fail-under=0" in first
    assert "--cov-append" in second
    assert "--cov-fail-under=0" not in second


@pytest.mark.parametrize("arguments", [["-k", "limit"], ["tests/e2e"], ["--lf"]])
def test_a_part_of_the_tests_need_not_cover_all(arguments: list[str]) -> None:
    """It is selected in both passes."""
    runs = Runs(0, 0)
    main([*arguments, COVERAGE], runs)
    assert all(list(each[: len(arguments)]) == arguments for each in runs.arguments)
    assert "--cov-fail-under=0" in runs.arguments[-1]


def test_marks_of_the_callers_own_are_one_pass() -> None:
    """They would take the place of those that tell the passes apart."""
    runs = Runs(0)
    assert main(["-m", "long"], runs) == 0
