"""The upstreams: nginx answers whole, the stream server streams; both on the load's cores."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.bench.machine import Cores
from loadtest.bench.payloads import answer
from loadtest.bench.process import Program, accepts, free_port, running

_ROOT: Final = Path(__file__).parents[2]
_NGINX: Final = """
daemon off; worker_processes 1; pid {place}/nginx.pid; error_log {place}/error.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_buffer_size 1m; client_max_body_size 10m;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location / {{ default_type application/json; return 200 '{answer}'; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Their ports."""

    answers_port: int
    streams_port: int


@contextmanager
def upstreams(cores: Cores, place: Path, nginx: Path | None) -> Iterator[Upstreams]:
    """Both of them; without nginx the stream server answers whole, too. Raises NotStarted."""
    with _streams(cores, place) as streams_port:
        if nginx is None:
            yield Upstreams(streams_port, streams_port)
        else:
            with _answers(cores, place, nginx) as answers_port:
                yield Upstreams(answers_port, streams_port)


@contextmanager
def _streams(cores: Cores, place: Path) -> Iterator[int]:
    port = free_port()
    command = python("loadtest.bench.stream_server", "--port", str(port))
    environment = {"PYTHONPATH": str(_ROOT)}
    log = place / "streams.log"
    server = Program("the stream server", command, cores.load, log, environment, first=True)
    with running(server, accepts(port)):
        yield port


@contextmanager
def _answers(cores: Cores, place: Path, nginx: Path) -> Iterator[int]:
    port, config = free_port(), place / "upstream.conf"
    config.write_text(_NGINX.format(place=place, port=port, answer=answer().decode()))
    command = [str(nginx), "-e", "stderr", "-p", str(place), "-c", str(config)]
    log = place / "upstream.log"
    server = Program("the upstream's nginx", command, cores.load, log, first=True)
    with running(server, accepts(port)):
        yield port


def python(module: str, *arguments: str) -> list[str]:
    """A module of this project, run as a program."""
    return [sys.executable, "-m", module, *arguments]
