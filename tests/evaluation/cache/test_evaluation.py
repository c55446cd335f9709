"""The evaluation of the semantic cache, on a handful of pairs and with a made-up embedder."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.adapters.phrasebook import load_phrasebook
from tests.evaluation.cache.judged import bare, guarded, judge, score
from tests.evaluation.cache.labelled import BadLine, Pair, of_file
from tests.evaluation.cache.plot import plot
from tests.evaluation.cache.shown import best_bare, last_line, report

PAIRS = (
    Pair("How do I pay?", "How can I pay?", same=True, category="synonym", language="en"),
    Pair("How do I pay?", "Which ways are there for paying?", same=True),
    Pair("Fly from Rome to Oslo", "Fly from Oslo to Rome", same=False, category="direction"),
    Pair("How do I pay?", "Who is the king of Spain?", same=False),
)


class Letters:
    """Texts with the same letters are in the same place."""

    def encode(self, texts: Sequence[str]) -> list[bytes]:
        return [self._vector(text.lower()) for text in texts]

    def _vector(self, text: str) -> bytes:
        counts = [text.count(chr(ord("a") + at)) for at in range(26)]
        length = sum(count * count for count in counts) ** 0.5
        return struct.pack("<26f", *(count / length for count in counts))


def test_rates_are_of_the_same_and_of_the_served() -> None:
    """Of two same pairs one is served; the distance alone also serves the way back."""
    judged = judge(PAIRS, Letters(), load_phrasebook())
    both, alone = score(judged, guarded(0.5)), score(judged, bare(0.01))
    assert (both.hit_rate, both.false_hit_rate) == (0.5, 0.0)
    assert (alone.right, alone.wrong) == (0, 1)
    assert best_bare(judged)[1].wrong == 0


def test_the_last_line_is_json_and_the_tables_name_the_groups() -> None:
    """What a script reads stands alone on the last line."""
    judged = judge(PAIRS, Letters(), load_phrasebook())
    assert json.loads(last_line(judged, 0.5)) == {
        "pairs": 4,
        "hit_rate": 0.5,
        "false_hit_rate": 0.0,
        "bare_hit_rate": 1.0,
        "bare_false_hit_rate": pytest.approx(0.5, abs=0.2),
    }
    lines = "\n".join(report(judged, 0.5))
    assert "direction" in lines
    assert "synonym" in lines


def test_the_plot_is_an_image() -> None:
    """Two panels of two curves each."""
    drawn = plot(judge(PAIRS, Letters(), load_phrasebook()), 0.5, "title")
    assert drawn.startswith("<svg")
    assert drawn.count("<polyline") == 4


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        ('{"a": "x", "same": true}', "b must be a text"),
        ('{"a": "x", "b": "y", "same": 1}', "same must be true or false"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    """Which line of which file, and what is wrong with it."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"a": "x", "b": "y", "same": true}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(BadLine, match=said) as raised:
        list(of_file(path))
    assert str(raised.value).startswith(f"{path}:3: ")


def test_ones_own_lines_need_three_fields(tmp_path: Path) -> None:
    """Category and language may be left out."""
    path = tmp_path / "mine.jsonl"
    path.write_text('{"a": "x", "b": "y", "same": false}\n', encoding="utf-8")
    assert list(of_file(path)) == [Pair("x", "y", same=False)]
