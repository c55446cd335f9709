"""What fails in a page's shell is noticed, and named by its block; what it sets stays set."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import Block, blocks_in
from tests.docs.shell import Place, ended, free_ports, newcomers, outputs, prepared, run_of

ADDRESS = "http://127.0.0.1:9"


def _run(text: str, directory: Path) -> dict[int, str]:
    """Run the blocks of a text in a directory of their own, where no command answers."""
    blocks: list[Block] = run_of(blocks_in("page.md", text))
    prepared(directory, directory / "nobody", free_ports())
    environment = newcomers(directory)
    place = Place(directory, ADDRESS, ADDRESS, environment)
    with ended(place):
        return outputs(blocks, place)


def test_blocks_share_a_shell(tmp_path: Path) -> None:
    """Variables, directories and files that one leaves are there for the next, Python's as well."""
    printed = _run(
        "<!-- file: a.txt -->\n```text\nsaved\n```\n\n```sh\n. .venv/bin/activate\nexport A=1\n"
        "make setup\n```\n\n```python\nimport os\n\nprint(os.environ['A'], open('a.txt').read())\n"
        "```\n\n<!-- not run: needs Azure -->\n```sh\nfalse\n```\n\n```sh\necho $A\n```\n",
        tmp_path,
    )
    assert [text.strip() for text in printed.values()] == ["", "", "1 saved", "1"]


@pytest.mark.parametrize(
    "failing",
    [
        "```sh\nfalse\ntrue\n```",
        "```python\nraise SystemExit(3)\n```",
        "```sh\n. .venv/bin/activate\nexport KEY=$(spillgate key new)\n```",
        "```sh\n. .venv/bin/activate\ncurl -s http://127.0.0.1:8080/ | cat\nspillgate usage\n```",
        "```sh\nspillgate key new\n```",
        "```sh\nmake bench\n```",
    ],
)
def test_what_fails_is_named(failing: str, tmp_path: Path) -> None:
    """In the middle of a block, in what is assigned, and where `spillgate` is not on the path."""
    with pytest.raises(AssertionError, match=r"^page\.md:4: exit code \d+"):
        _run(f"```sh\ntrue\n```\n{failing}\n\n```sh\ntrue\n```\n", tmp_path)
