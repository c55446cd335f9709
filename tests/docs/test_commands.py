"""The commands of every page do what they are for, in the page's order, against a gateway."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.adapters.redis.embedded_binaries import installed_binaries
from tests.docs.blocks import HEADINGS, OUTPUT, Block, blocks_of, pages
from tests.docs.house import TENANT, House
from tests.docs.printed import headings, missing
from tests.docs.shell import (
    Place,
    ended,
    free_ports,
    newcomers,
    outputs,
    prepared,
    run_of,
    serves_itself,
)

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)

WITH_COMMANDS = [page for page in pages() if run_of(blocks_of(page))]
#: For the planner: some requests, as its page says that a CSV has them.
TRAFFIC = "at,input,output\n" + "".join(
    f"2026-11-{day:02}T{hour:02}:00:00Z,1200,300\n" for day in range(1, 4) for hour in range(24)
)


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_work(page: str, gateway: House, tmp_path: Path) -> None:
    """Each as it is printed, and what they print is what the page says."""
    blocks = blocks_of(page)
    place = _place(blocks, gateway, tmp_path)
    with ended(place):
        printed = outputs(run_of(blocks), place)
        faults = [*_not_printed(blocks, printed)]
    assert not faults, "\n\n".join(faults)


def _place(blocks: list[Block], gateway: House, directory: Path) -> Place:
    ports = free_ports()
    prepared(directory, gateway.command, ports)
    environment = newcomers(directory)
    if serves_itself(blocks):
        data_url, admin_url = (f"http://127.0.0.1:{port}" for port in ports)
        return Place(directory, data_url, admin_url, environment)
    (directory / "spillgate.yaml").write_text(gateway.config.read_text("utf-8"))
    (directory / "traffic.csv").write_text(TRAFFIC)
    (directory / ".spillgate").symlink_to(gateway.directory / ".spillgate")
    given = {
        **gateway.secrets,
        "PATH": f"{directory / '.venv' / 'bin'}:{environment['PATH']}",
        "SPILLGATE_ADMIN_URL": gateway.admin_url,
        "OPENAI_BASE_URL": f"{gateway.data_url}/v1",
        "OPENAI_API_KEY": _key(blocks, gateway),
    }
    return Place(directory, gateway.data_url, gateway.admin_url, environment | given)


def _key(blocks: list[Block], gateway: House) -> str:
    """Of the pages' tenant; a page that makes it itself makes its key, too."""
    if any(f"spillgate tenant create {TENANT}" in each.text for each in blocks):
        gateway.no_tenant()
        return ""
    return gateway.fresh_tenant()


def _not_printed(blocks: list[Block], printed: dict[int, str]) -> Iterator[str]:
    """For each block that is said to be printed: which of its lines were not."""
    before = 0
    for block in blocks:
        before = block.line if block.line in printed else before
        if block.remark in {OUTPUT, HEADINGS}:
            assert before, f"{block.place}: no command before what is said to be printed"
            said = headings(block.text) if block.remark == HEADINGS else block.text
            if lines := missing(said, printed[before]):
                told = "\n".join(lines)
                yield f"{block.place}: not printed:\n{told}\nbut:\n{printed[before]}"
