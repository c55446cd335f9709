"""Every block of every page is run, read or compared, or its page says why it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.blocks import REASONS, Block, blocks_in, blocks_of, pages
from tests.docs.formats import Unreadable, merged, read
from tests.docs.treatment import Treatment, Untreated, treatment

each_page = pytest.mark.parametrize("page", pages())


@each_page
def test_every_block_is_treated(page: str, tmp_path: Path) -> None:
    """Run, read or marked with a reason; what is read can be read."""
    faults = [fault for block in blocks_of(page) if (fault := _fault(block, tmp_path))]
    assert not faults, "\n\n".join(faults)


def _fault(block: Block, directory: Path) -> str:
    try:
        if treatment(block) is Treatment.READ or _is_saved_config(block):
            read(block, directory)
    except (Untreated, Unreadable) as error:
        return str(error)
    return ""


def _is_saved_config(block: Block) -> bool:
    return treatment(block) is Treatment.SAVED and block.language == "yaml"


def _blocks(text: str) -> list[Block]:
    return list(blocks_in("page.md", text))


def test_blocks_are_found_with_their_remarks() -> None:
    """In lists too, with a blank line after the comment or none."""
    found = _blocks(
        "<!-- not run: needs Azure -->\n```sh\naz login\n```\n\n"
        "- a point\n\n  <!-- output -->\n\n  ```text\n  1\n  ```\n\n"
        "```sh\n# not run: needs Docker and Azure\ntrue\n```\n"
    )
    assert [(each.line, each.language, each.remark) for each in found] == [
        (2, "sh", "not run: needs Azure"),
        (10, "text", "output"),
        (14, "sh", ""),
    ]
    assert [each.reasons for each in found] == [("Azure",), None, ("Docker", "Azure")]


@pytest.mark.parametrize(
    "text",
    [
        "```\nx\n```",
        "```java\nx\n```",
        "    indented\n",
        "<!-- not run: no time -->\n```sh\nx\n```",
        "<!-- printed by tests/docs/test_no.py -->\n```\nx\n```",
        "<!-- printed by tests/docs/blocks.py -->\n```\nx\n```",
    ],
)
def test_a_block_that_nothing_runs_is_named(text: str) -> None:
    """With its place, and with what its author can do."""
    (block,) = _blocks(text)
    with pytest.raises(Untreated, match=r"page\.md:\d+: .*(?s:.*)<!-- output -->"):
        treatment(block)


def test_every_reason_is_needed() -> None:
    """A reason that no page gives is no reason."""
    given = {each for page in pages() for block in blocks_of(page) for each in block.reasons or ()}
    assert given == REASONS


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("json", "{"),
        ("toml", "a ="),
        ("promql", "sum by ("),
        ("mermaid", "graf LR"),
        ("yaml", "deploymints: {}"),
        ("yaml", "- a"),
        ("yaml", "{"),
    ],
)
def test_what_is_not_its_language_is_found(language: str, text: str, tmp_path: Path) -> None:
    """Whatever the format, with the block's place."""
    with pytest.raises(Unreadable, match=r"^page\.md:7: "):
        read(Block("page.md", 7, language, text, ""), tmp_path)


def test_a_part_of_a_config_is_put_into_a_whole_one() -> None:
    """Mappings are merged, all else is replaced, and an ellipsis is what is there."""
    base = {"a": {"b": 1, "c": [1]}, "d": 1}
    assert merged(base, {"a": {"…": None, "c": [2]}}) == {"a": {"b": 1, "c": [2]}, "d": 1}
