"""A cluster of three servers on this machine, without replicas."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.exceptions import RedisError

from app.adapters.redis.embedded_process import bound_to_parent

NODES: Final = 3
SLOTS: Final = 16_384
#: The cluster's own port is this much above a server's.
BUS_OFFSET: Final = 10_000
START_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Cluster:
    """Servers that know of each other and hold every slot."""

    ports: tuple[int, ...]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.ports[0]}/0"


@contextmanager
def running_cluster(server: Path, directory: Path) -> Iterator[Cluster]:
    """Three servers, each in a directory below this one; ended when the scope is left."""
    with ExitStack() as stack:
        ports = tuple(free_port() for _ in range(NODES))
        for port in ports:
            stack.enter_context(_running(server, directory / str(port), port))
        clients = [stack.enter_context(Redis(port=port, decode_responses=True)) for port in ports]
        deadline = time.monotonic() + START_TIMEOUT_S
        _until(deadline, lambda: all(_pongs(client) for client in clients))
        _join(clients, ports)
        _until(deadline, lambda: all(_is_whole(client) for client in clients))
        yield Cluster(ports)


def free_port() -> int:
    """A port that is free, and whose neighbour for the cluster's own traffic is, too."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            bus = port + BUS_OFFSET if port + BUS_OFFSET < 2**16 else 0
            try:
                other.bind(("127.0.0.1", bus))
            except OSError:
                continue
            if bus:
                return port


@contextmanager
def _running(server: Path, directory: Path, port: int) -> Iterator[None]:
    directory.mkdir(parents=True)
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(directory),
        "save": "",
        "cluster-enabled": "yes",
        "cluster-config-file": "nodes.conf",
        "cluster-node-timeout": "2000",
        "cluster-announce-ip": "127.0.0.1",
    }
    command = [str(server), *(part for name in options for part in (f"--{name}", options[name]))]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            bound_to_parent(command), stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _join(clients: list[Any], ports: tuple[int, ...]) -> None:
    for index, client in enumerate(clients):
        first, end = SLOTS * index // NODES, SLOTS * (index + 1) // NODES
        client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        for port in ports[:index]:
            client.execute_command("CLUSTER MEET", "127.0.0.1", port)


def _pongs(client: Any) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _is_whole(client: Any) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NODES


def _until(deadline: float, holds: Any) -> None:
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("the cluster is not ready")
        time.sleep(0.05)
