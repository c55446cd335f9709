"""The upstreams: nginx answers whole, the stream server streams; both on the load's cores."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.bench import environments
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
def upstreams(cores: Cores, place: Path) -> Iterator[Upstreams]:
    """Both of them. Raises Missing, NotStarted."""
    found = Upstreams(free_port(), free_port())
    config = place / "upstream.conf"
    config.write_text(_NGINX.format(place=place, port=found.answers_port, answer=answer().decode()))
    nginx = [str(environments.nginx()), "-e", "stderr", "-p", str(place), "-c", str(config)]
    with (
        running(
            Program("the upstream's nginx", nginx, cores.load, place / "upstream.log"),
            accepts(found.answers_port),
        ),
        running(
            Program(
                "the stream server",
                python("loadtest.bench.stream_server", "--port", str(found.streams_port)),
                cores.load,
                place / "streams.log",
                environment={"PYTHONPATH": str(_ROOT)},
            ),
            accepts(found.streams_port),
        ),
    ):
        yield found


def python(module: str, *arguments: str) -> list[str]:
    """A module of this project, run as a program."""
    return [sys.executable, "-m", module, *arguments]
