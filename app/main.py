"""The `spillgate` command's entry point."""

from __future__ import annotations

from app.bootstrap import commands
from app.bootstrap.comparison import compared
from app.bootstrap.demo import demo
from app.bootstrap.drafting import found
from app.bootstrap.latency import latency
from app.bootstrap.planning import planned
from app.bootstrap.probing import probed
from app.cli.commands import Commands, create_cli
from app.settings import environment


def main() -> None:
    """Run the command line."""
    started = Commands(
        environment=environment,
        compared=compared,
        probed=probed,
        found=found,
        demo=demo,
        serve=commands.serve,
        simulate=commands.simulate,
        latency=latency,
        planned=planned,
    )
    create_cli(started)()


if __name__ == "__main__":
    main()
