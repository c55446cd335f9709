"""The process that makes a plan beside a gateway: `spillgate plan`, and no more than that needs."""

from __future__ import annotations

import typer

from app.bootstrap.planning import planned
from app.cli.plan import add_plan
from app.cli.session import Surroundings


def main() -> None:
    """Run it."""
    cli = typer.Typer(context_settings={"obj": Surroundings(dict)}, add_completion=False)
    add_plan(cli, planned)
    cli()


if __name__ == "__main__":
    main()
