"""A cluster of three servers on this machine, without replicas; each can be killed and frozen."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis import Redis
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import RedisError

from app.adapters.redis.embedded_process import bound_to_parent

NODES: Final = 3
SLOTS: Final = 16_384
#: The cluster's own port is this much above a server's.
BUS_OFFSET: Final = 10_000
START_TIMEOUT_S: Final = 20.0


class Server:
    """One server, in a directory of its own, which keeps its data and its name."""

    def __init__(self, binary: Path, directory: Path, *, cluster: bool = True) -> None:
        self.port = free_port()
        self._binary = binary
        self._cluster = cluster
        self._directory = directory / str(self.port)
        self._directory.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, for the first time or again; nothing where it runs."""
        if self._process is not None:
            return
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self._directory),
            "save": "",
            "appendonly": "yes",
            "cluster-enabled": "yes" if self._cluster else "no",
            "cluster-config-file": "nodes.conf",
            "cluster-node-timeout": "2000",
            "cluster-announce-ip": "127.0.0.1",
            "cluster-require-full-coverage": "no",
        }
        given = (part for name in options for part in (f"--{name}", options[name]))
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                bound_to_parent([str(self._binary), *given]),
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]},
            )

    def kill(self) -> None:
        """End it at once, as by a power cut."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End it as its owner would: it writes down what it has."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def forget(self) -> None:
        """Have it come back without data, but as the same node."""
        for file in (*self._directory.glob("appendonlydir/*"), *self._directory.glob("*.rdb")):
            file.unlink()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Neither answering nor dead."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """A client of this server alone."""
        with Redis(port=self.port, decode_responses=True, protocol=3) as client:
            yield client


@dataclass(frozen=True, slots=True)
class Cluster:
    """Servers that know of each other and hold every slot."""

    servers: tuple[Server, ...]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.servers[0].port}/0"

    def server_of(self, key: str) -> Server:
        """The server that this key's slot was given to."""
        return self.servers[key_slot(key.encode()) * NODES // SLOTS]

    def name_on(self, server: Server, prefix: str) -> str:
        """A name beginning so whose hash tag is on that server."""
        names = (f"{prefix}-{number}" for number in range(10_000))
        return next(name for name in names if self.server_of(f"{{{name}}}") is server)

    def name_in_empty_slot(self, server: Server, prefix: str) -> str:
        """Such a name, of whose slot no other test has a key there."""
        with server.client() as client:
            while True:
                name = self.name_on(server, prefix)
                if not client.execute_command("CLUSTER COUNTKEYSINSLOT", key_slot(name.encode())):
                    return name
                prefix += "+"

    def client(self) -> RedisCluster:
        """redis-py's own client: `async with` it."""
        return RedisCluster.from_url(self.url)


@contextmanager
def running_cluster(binary: Path, directory: Path) -> Iterator[Cluster]:
    """Three servers, each in a directory below this one; ended when the scope is left."""
    with ExitStack() as stack:
        servers = tuple(Server(binary, directory) for _ in range(NODES))
        for server in servers:
            server.start()
            stack.callback(server.kill)
        clients = [stack.enter_context(server.client()) for server in servers]
        deadline = time.monotonic() + START_TIMEOUT_S
        _until(deadline, lambda: all(pongs(client) for client in clients))
        _join(clients, [server.port for server in servers])
        _until(deadline, lambda: all(_is_whole(client) for client in clients))
        yield Cluster(servers)


def is_up(server: Server) -> None:
    """Wait until it answers."""
    with server.client() as client:
        _until(time.monotonic() + START_TIMEOUT_S, lambda: pongs(client))


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


def _join(clients: list[Any], ports: list[int]) -> None:
    for index, client in enumerate(clients):
        first, end = -(-SLOTS * index // NODES), -(-SLOTS * (index + 1) // NODES)
        client.execute_command("CLUSTER ADDSLOTSRANGE", first, end - 1)
        for port in ports[:index]:
            client.execute_command("CLUSTER MEET", "127.0.0.1", port)


def pongs(client: Any) -> bool:
    """Whether it answers."""
    try:
        return bool(client.ping())
    except RedisError:
        return False


def _is_whole(client: Any) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NODES


def _until(deadline: float, holds: Callable[[], bool]) -> None:
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("a server is not ready")
        time.sleep(0.05)
