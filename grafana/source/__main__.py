"""Write every dashboard as JSON; Grafana reads the directory."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from grafana.source.assembled import as_json
from grafana.source.boards.cache import CACHE
from grafana.source.boards.internals import INTERNALS
from grafana.source.boards.overview import OVERVIEW
from grafana.source.boards.ptu import PTU
from grafana.source.boards.tenants import TENANTS_AND_COST
from grafana.source.panel import Board

DASHBOARDS: Final = Path(__file__).parents[1] / "dashboards"
BOARDS: Final[tuple[Board, ...]] = (OVERVIEW, PTU, TENANTS_AND_COST, CACHE, INTERNALS)


def generated() -> dict[Path, str]:
    """Every file and what is in it."""
    return {DASHBOARDS / f"{board.uid}.json": as_json(board) for board in BOARDS}


def main() -> None:
    """Write them, and nothing else in the directory."""
    DASHBOARDS.mkdir(exist_ok=True)
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
