from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.adapters.durable import write_json, written


def test_that_a_file_takes_its_place_once_it_is_whole(tmp_path: Path) -> None:
    """Until then the one before is there; where it fails nothing is left of it."""
    path = tmp_path / "value.json"
    write_json(path, {"a": 1})

    def begin() -> None:
        with written(path) as file:
            file.write(b"half")
            file.flush()
            assert json.loads(path.read_bytes()) == {"a": 1}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        begin()
    assert json.loads(path.read_bytes()) == {"a": 1}
    write_json(path, {"a": 2})
    assert json.loads(path.read_bytes()) == {"a": 2}
    assert [each.name for each in tmp_path.iterdir()] == ["value.json"]


def test_that_what_a_killed_process_left_is_written_over(tmp_path: Path) -> None:
    """Its name is the same, and begins with a dot."""
    (tmp_path / ".value.json.partial").write_bytes(b"a long beginning of something else")
    write_json(tmp_path / "value.json", [])
    assert [each.name for each in tmp_path.iterdir()] == ["value.json"]
    assert (tmp_path / "value.json").read_bytes() == b"[]\n"
