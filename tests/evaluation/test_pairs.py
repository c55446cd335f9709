from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

PAIRS = Path(__file__).parent / "cache" / "pairs"
SPLITS = ("tune", "report")
AT_LEAST = {("tune", "en"): 650, ("report", "en"): 1000}
FIELDS = {"a": str, "b": str, "same": bool, "category": str, "domain": str, "language": str}


class Row(NamedTuple):
    where: str
    split: str
    value: dict[str, str | bool]

    @property
    def same(self) -> bool:
        return bool(self.value["same"])

    @property
    def prompts(self) -> tuple[str, str]:
        return str(self.value["a"]), str(self.value["b"])

    @property
    def kind(self) -> tuple[str, str]:
        return self.split, "same" if self.same else "different"


def read(split: str) -> list[Row]:
    return [
        Row(f"{split}/{path.name}:{number}", split, json.loads(line))
        for path in sorted((PAIRS / split).glob("*.jsonl"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
    ]


def promised() -> dict[str, tuple[str, str]]:
    """The split and the label of each category, from the table in SPLIT.md."""
    lines = (PAIRS / "SPLIT.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:1] == "|"]
    return {row[0]: (row[1], row[2]) for row in cells if row[1] in SPLITS}


def form(prompt: str) -> str:
    return " ".join(prompt.split())


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [row for split in SPLITS for row in read(split)]


def test_each_line_has_the_fields_and_no_other(rows: list[Row]) -> None:
    """Whoever reads the pairs may rely on six fields, their types, and that none is empty."""
    types = {row.where: {key: type(value) for key, value in row.value.items()} for row in rows}
    empty = [row.where for row in rows for value in row.value.values() if value in ("", " ")]
    untidy = [row.where for row in rows for text in row.prompts if text != text.strip()]

    assert [where for where, found in types.items() if found != FIELDS] == []
    assert empty + untidy == []


def test_the_two_prompts_of_a_pair_differ(rows: list[Row]) -> None:
    """An exact cache serves two equal prompts; such a pair would say nothing."""
    assert [row.where for row in rows if row.prompts[0] == row.prompts[1]] == []


def test_no_pair_is_there_twice(rows: list[Row]) -> None:
    """Neither within a file nor across, nor turned round: it would count twice, or leak."""
    seen: dict[frozenset[str], str] = {}
    twice = []
    for row in rows:
        first = seen.setdefault(frozenset(map(form, row.prompts)), row.where)
        if first != row.where:
            twice.append((first, row.where))

    assert twice == []


def test_no_prompt_is_in_both_splits(rows: list[Row]) -> None:
    """What is tuned on does not come back in what is reported."""
    tuned = {form(text).casefold() for row in rows if row.split == "tune" for text in row.prompts}
    reported = [(row.where, text) for row in rows if row.split == "report" for text in row.prompts]

    assert [found for found in reported if form(found[1]).casefold() in tuned] == []


def test_a_category_keeps_to_its_split_and_label(rows: list[Row]) -> None:
    """SPLIT.md says where each category belongs, and whether its pairs are the same."""
    table = promised()
    astray = [row.where for row in rows if table.get(str(row.value["category"])) != row.kind]

    assert astray == []
    assert set(table) == {row.value["category"] for row in rows}


@pytest.mark.parametrize("split", SPLITS)
def test_same_and_different_are_in_balance(rows: list[Row], split: str) -> None:
    """Neither answer to "may it be served?" is right much more often than the other."""
    labels = [row.same for row in rows if row.split == split]

    assert 0.4 <= sum(labels) / len(labels) <= 0.6


def test_there_are_enough_pairs(rows: list[Row]) -> None:
    """Few pairs would make a rate of wrong answers a matter of luck."""
    counts = Counter((row.split, str(row.value["language"])) for row in rows)

    assert {key: counts[key] >= least for key, least in AT_LEAST.items()} == dict.fromkeys(
        AT_LEAST, True
    )
