"""This gateway, governed: everything on that a production configuration has on.

Keys, three limits in Redis, exact token counts, usage, cost, metrics, a log line for each request,
explanations, the ledger and its archive, traces of one request in a hundred.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import yaml

from app.adapters.redis.embedded_binaries import installed_binaries
from app.cli.key import new_key
from loadtest.bench.agreement import TENANT, Books, agreed
from loadtest.bench.contender import Bench, Contender, Running
from loadtest.bench.environments import Missing
from loadtest.bench.lane_names import ALL, CLOSED, ONE
from loadtest.bench.machine import can_precede
from loadtest.bench.payloads import MODEL, STREAM_MODEL, STREAM_PREFIX
from loadtest.bench.process import Program, accepts, answers, free_port, running
from loadtest.bench.upstreams import python

_REDIS_OPTIONS: Final = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
_PLENTY: Final = 1_000_000_000
_KEY_IN_THE_PAGE: Final = "spg_live_…"


def config(key: str, redis: str, place: Path, ports: tuple[int, int, int, int]) -> dict[str, Any]:
    """`ports`: where it listens for data and for admin, those of the answers and the streams."""
    data, admin, answered, streamed = ports
    openai = {"kind": "paygo", "api": "openai", "model": MODEL, "tpm": _PLENTY}
    openai |= {"deployment": MODEL, "auth": {"api_key": "k"}}
    return {
        "listen": {"port": data, "admin_port": admin},
        "redis": {"url": redis},
        "ledger": {"archive": str(place / "ledger")},
        "admin": {"key": "an-admin-key-of-a-benchmark"},
        "deployments": {
            "whole": {**openai, "endpoint": f"http://127.0.0.1:{answered}/v1"},
            "streamed": {**openai, "endpoint": f"http://127.0.0.1:{streamed}{STREAM_PREFIX}/v1"},
        },
        "models": {MODEL: {"tiers": [["whole"]]}, STREAM_MODEL: {"tiers": [["streamed"]]}},
        "tenants": {
            TENANT: {
                "keys": [key],
                "limits": {"tpm": _PLENTY, "rpm": _PLENTY, "usd_per_day": 1_000_000},
            }
        },
        "tracing": {"endpoint": f"http://127.0.0.1:{streamed}", "sample": 0.01},
    }


@contextmanager
def started(
    bench: Bench,
    *,
    beside_redis: bool = False,
    redis_first: bool = False,
    workers: int = 1,
    without: Sequence[str] = (),
    leases: bool = True,
) -> Iterator[Running]:
    """A gateway and its Redis; `without` names sections of its configuration.

    `redis_first`: Redis takes turns with the load on their core. Raises NotStarted.
    """
    own = [bench.cores.gateway]
    cores = own if beside_redis else bench.cores.load
    key, data, admin = new_key("test"), free_port(), free_port()
    with _redis(bench.place, cores, first=redis_first) as (redis_pid, redis_port):
        redis, path = f"redis://127.0.0.1:{redis_port}/0", _config_path(bench.place)
        ports = (data, admin, bench.answers_port, bench.streams_port)
        settings = config(key, redis, bench.place, ports)
        settings["listen"]["workers"] = workers
        settings["redis"]["leases"] = leases
        for section in without:
            del settings[section]
        path.write_text(yaml.safe_dump(settings))
        program = Program(
            "Spillgate",
            python("app.main", "serve", "--config", str(path)),
            own if workers == 1 else [*bench.cores.load, *own],
            bench.place / "spillgate.log",
            environment={"PYTHONPATH": str(bench.checkout)},
            directory=bench.place,
        )
        with running(program, _all_serve(data, bench.place / "spillgate.log")) as process:
            books = Books(redis, admin, bench.place / "ledger")
            yield Running(
                data,
                pids=[process.pid],
                redis=[redis_pid],
                headers={"authorization": f"Bearer {key}"},
                agree=partial(agreed, books),
            )


def _config_path(place: Path) -> Path:
    """In a folder of its own, as mounted ones are: the gateway is told of what changes in it."""
    folder = place / "config"
    folder.mkdir(exist_ok=True)
    return folder / "spillgate.yaml"


def _all_serve(data: int, log: Path) -> Callable[[], bool]:
    """Whether every worker is there: with several, the first one answers before the last."""
    answers_one = answers(data, "/readyz")
    return lambda: answers_one() and '"serving"' in log.read_text()


@contextmanager
def _redis(place: Path, cores: Sequence[int], *, first: bool) -> Iterator[tuple[int, int]]:
    """Its process and its port."""
    port = free_port()
    command = [str(_server()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place)]
    command += _REDIS_OPTIONS
    program = Program("Redis", command, cores, place / "redis.log", first=first)
    with running(program, accepts(port)) as process:
        yield process.pid, port


def _server() -> Path:
    server = installed_binaries().server
    if server is None:
        raise Missing("no Redis server is installed (the extra `embedded`)")
    return server


def _not_first() -> None:
    _server()
    if not can_precede():
        raise Missing("it is the main one where the load cannot go before Redis")


def _published() -> dict[str, str]:
    shown = config(_KEY_IN_THE_PAGE, "redis://127.0.0.1:6379/0", Path(), (8080, 8081, 9001, 9002))
    return {
        "options": "serve --config spillgate.yaml",
        "redis": f"valkey-server {' '.join(each or repr(each) for each in _REDIS_OPTIONS)}",
        "spillgate.yaml": yaml.safe_dump(shown, sort_keys=False, allow_unicode=True),
    }


def _version(checkout: Path) -> str:
    """Its commit, where git knows it, and whether it was changed since."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],  # noqa: S607  # from PATH
        cwd=checkout,
        check=False,
        capture_output=True,
        text=True,
    )
    return git.stdout.strip()


def _contender(
    name: str,
    title: str,
    start: Callable[[Bench], AbstractContextManager[Running]],
    lanes: tuple[str, ...],
    prepare: Callable[[], object] = _server,
) -> Contender:
    return Contender(
        name=name,
        title=title,
        does="governed: keys, limits in Redis, exact tokens, cost, ledger, metrics, log, traces",
        start=start,
        prepare=prepare,
        published=_published,
        version=_version,
        lanes=frozenset(lanes),
    )


SPILLGATE: Final = _contender("spillgate", "Spillgate", started, ALL)
SPILLGATE_BESIDE_REDIS: Final = _contender(
    "spillgate-beside-redis",
    "Spillgate, Redis on the same core",
    partial(started, beside_redis=True),
    (CLOSED,),
)
SPILLGATE_REDIS_FIRST: Final = _contender(
    "spillgate-redis-first",
    "Spillgate, load and upstream take turns with Redis",
    partial(started, redis_first=True),
    (CLOSED, ONE),
    _not_first,
)
SPILLGATE_WITHOUT_LEASES: Final = _contender(
    "spillgate-without-leases",
    "Spillgate, without leases",
    partial(started, leases=False),
    (CLOSED, ONE),
)
SPILLGATE_TWO_WORKERS: Final = _contender(
    "spillgate-two-workers",
    "Spillgate, two workers on all cores",
    partial(started, workers=2),
    (CLOSED,),
)
