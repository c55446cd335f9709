"""The `spillgate` command's entry point: what a command needs is loaded when it is called.

`key new` answers at once, and a gateway has nothing of the others in memory for as long as it
serves: together they take a second and 40 MB.
"""

# ruff: noqa: PLC0415  # that is what this module is for

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.bootstrap.lean import load_libraries
from app.bootstrap.standard_streams import open_closed_streams
from app.cli.commands import Addresses, Commands, create_cli
from app.settings import Settings, environment

if TYPE_CHECKING:
    from app.cli.init import Login, Resource
    from app.cli.latency import Asked as LatencyAsked
    from app.cli.latency import Comparison
    from app.cli.plan import Asked as PlanAsked
    from app.planner.drafting.found import Found
    from app.planner.probing.finding import Finding
    from app.planner.sizing.plan import PtuPlan, Tell


def main() -> None:
    """Run the command line."""
    open_closed_streams()
    started = Commands(
        environment=environment,
        compared=_compared,
        probed=_probed,
        found=_found,
        demo=_demo,
        serve=_serve,
        simulate=_simulate,
        latency=_latency,
        planned=_planned,
    )
    create_cli(started)()


def _serve(config: Path, addresses: Addresses, simulate: bool) -> int:  # noqa: FBT001  # as Commands has it
    load_libraries("structlog", "redis", "uvicorn")
    from app.bootstrap import commands

    return commands.serve(config, addresses, simulate)


def _simulate(config: Path, host: str, port: int) -> int:
    from app.bootstrap import commands

    return commands.simulate(config, host, port)


def _demo(addresses: Addresses, traffic: bool) -> int:  # noqa: FBT001  # as above
    from app.bootstrap.demo import demo

    return demo(addresses, traffic)


def _compared(settings: Settings) -> Iterable[str]:
    from app.bootstrap.comparison import compared

    return compared(settings)


def _probed(settings: Settings) -> Sequence[Finding]:
    from app.bootstrap.probing import probed

    return probed(settings)


def _found(asked: Login | Resource) -> Sequence[Found]:
    from app.bootstrap.drafting import found

    return found(asked)


def _latency(asked: LatencyAsked) -> Comparison:
    from app.bootstrap.latency import latency

    return latency(asked)


def _planned(asked: PlanAsked, tell: Tell) -> PtuPlan:
    from app.bootstrap.planning import planned

    return planned(asked, tell)


if __name__ == "__main__":
    main()
