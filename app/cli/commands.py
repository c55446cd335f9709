"""The `spillgate` command: arguments in, exit code out; what runs for long is passed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer

from app.cli.admin import administrator_commands
from app.cli.audit import audit_commands
from app.cli.cache import cache_commands
from app.cli.check import Compare, Probe, check
from app.cli.deployment import deployment_commands
from app.cli.explain import explain
from app.cli.init import Find, add_init
from app.cli.key import key_commands
from app.cli.latency import Compare as CompareLatency
from app.cli.latency import add_latency
from app.cli.limit import limit_commands
from app.cli.plan import Find as FindPlan
from app.cli.plan import add_plan
from app.cli.schema import add_schema
from app.cli.secret import secret_commands
from app.cli.session import Surroundings
from app.cli.start import Addresses
from app.cli.tenant import tenant_commands
from app.cli.usage import usage_commands

__all__ = ["Addresses", "Commands", "create_cli"]


@dataclass(frozen=True, slots=True)
class Commands:
    """What the command line starts. Each returns an exit code once it has ended."""

    environment: Callable[[], Mapping[str, str]]
    compared: Compare
    probed: Probe
    found: Find
    demo: Callable[[Addresses, bool], int]
    serve: Callable[[Path, Addresses, bool], int]
    simulate: Callable[[Path, str, int], int]
    latency: CompareLatency
    planned: FindPlan


def _show_version(asked: bool) -> None:  # noqa: FBT001  # from the command line
    if asked:
        typer.echo(f"spillgate {package_version('spillgate')}")
        raise typer.Exit


_Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
]
_Config = Annotated[Path, typer.Option("--config", help="The configuration, a YAML file.")]
_Port = Annotated[int | None, typer.Option(help="Port of the data plane.", min=0, max=65535)]
_AdminPort = Annotated[int | None, typer.Option(help="Port of the admin plane.", min=0, max=65535)]
_Host = Annotated[str | None, typer.Option(help="Address of the data plane.")]
_Workers = Annotated[
    int | None, typer.Option(help="Processes of the data plane, one for each core.", min=1, max=256)
]
_AdminHost = Annotated[str | None, typer.Option(help="Address of the admin plane.")]


def create_cli(commands: Commands) -> typer.Typer:
    """The command with its subcommands."""
    cli = typer.Typer(
        name="spillgate",
        no_args_is_help=True,
        add_completion=False,
        context_settings={"obj": Surroundings(commands.environment)},
        pretty_exceptions_enable=False,
    )
    _add_version(cli)
    _add_servers(cli, commands)
    add_init(cli, commands.environment, commands.found)
    _add_check(cli, commands)
    add_schema(cli)
    cli.add_typer(secret_commands(), name="secret")
    add_latency(cli, commands.latency)
    add_plan(cli, commands.planned)
    admin_commands(cli)
    return cli


def _add_version(cli: typer.Typer) -> None:
    @cli.callback()
    def options(*, version: _Version = False) -> None:
        """An OpenAI-compatible gateway for Azure OpenAI: PTU first, PAYGO for what spills."""


def _add_servers(cli: typer.Typer, commands: Commands) -> None:
    @cli.command()
    def demo(
        *,
        port: _Port = 8080,
        admin_port: _AdminPort = 8081,
        traffic: Annotated[bool, typer.Option(help="Send a little traffic.")] = True,
    ) -> None:
        """Try it: gateway, simulated Azure and Redis in one process, nothing to configure."""
        addresses = Addresses(port=port, admin_port=admin_port)
        raise typer.Exit(commands.demo(addresses, traffic))

    @cli.command()
    def serve(  # noqa: PLR0913  # its options
        *,
        config: _Config,
        host: _Host = None,
        port: _Port = None,
        admin_host: _AdminHost = None,
        admin_port: _AdminPort = None,
        workers: _Workers = None,
        simulate: Annotated[
            bool, typer.Option("--simulate", help="Simulate every deployment; call no Azure.")
        ] = False,
    ) -> None:
        """Run the gateway. SIGHUP or a changed file reloads the config; TERM drains."""
        addresses = Addresses(host, port, admin_host, admin_port, workers)
        raise typer.Exit(commands.serve(config, addresses, simulate))

    @cli.command()
    def simulate(
        config: _Config,
        port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)],
        host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    ) -> None:
        """Stand in for every deployment of a config, each under http://HOST:PORT/NAME."""
        raise typer.Exit(commands.simulate(config, host, port))


def _add_check(cli: typer.Typer, commands: Commands) -> None:
    @cli.command(name="check")
    def check_config(
        config: _Config,
        *,
        probe: Annotated[
            bool, typer.Option("--probe", help="Ask each deployment and Redis, too; free of cost.")
        ] = False,
    ) -> None:
        """Name every mistake of a config with its place; exit 0, or 2.

        Where Redis can be reached, say too where other tenants, keys or limits are in force: the
        admin API owns them once they are there. With `--probe` each deployment is asked for
        something that it refuses, which shows its name, credential and address to be right, and
        Redis for what it is; exit 1 where one of them cannot be used.
        """
        asked = commands.probed if probe else None
        result = check(config, commands.environment(), commands.compared, probe=asked)
        for line in result.lines:
            typer.echo(line)
        raise typer.Exit(result.exit_code)


def admin_commands(cli: typer.Typer) -> None:
    """Add the commands that speak to the admin API; the context's object is a Surroundings."""
    cli.add_typer(tenant_commands(), name="tenant")
    cli.add_typer(key_commands(), name="key")
    cli.add_typer(limit_commands(), name="limit")
    cli.add_typer(usage_commands(), name="usage")
    cli.add_typer(deployment_commands(), name="deployment")
    cli.command("explain")(explain)
    cli.add_typer(cache_commands(), name="cache")
    cli.add_typer(audit_commands(), name="audit")
    cli.add_typer(administrator_commands(), name="admin")
