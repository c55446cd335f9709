"""LiteLLM's proxy as its documentation recommends for production: one worker, a master key.

Its virtual keys and budgets need PostgreSQL, which is not started: it has less to do here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import yaml

from loadtest.bench import environments
from loadtest.bench.contender import Bench, Contender, Running
from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, ONE
from loadtest.bench.payloads import MODEL, STREAM_MODEL, STREAM_PREFIX
from loadtest.bench.process import Program, answers, free_port, running

_KEY: Final = "sk-a-master-key-of-a-benchmark"
#: LiteLLM: "Best Practices for Production", 2026-10. The cost map is the package's own.
_ENVIRONMENT: Final = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
}
_OPTIONS: Final = ("--num_workers", "1", "--telemetry", "False")


def config(answered: int, streamed: int) -> dict[str, Any]:
    """Both models, and the settings recommended for production."""
    models = {
        MODEL: f"http://127.0.0.1:{answered}/v1",
        STREAM_MODEL: f"http://127.0.0.1:{streamed}{STREAM_PREFIX}/v1",
    }
    return {
        "model_list": [
            {
                "model_name": name,
                "litellm_params": {"model": f"openai/{MODEL}", "api_base": base, "api_key": "k"},
            }
            for name, base in models.items()
        ],
        "general_settings": {"master_key": _KEY, "proxy_batch_write_at": 60},
        "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True},
    }


@contextmanager
def _start(bench: Bench) -> Iterator[Running]:
    port, path = free_port(), bench.place / "litellm.yaml"
    path.write_text(yaml.safe_dump(config(bench.answers_port, bench.streams_port)))
    command = [str(environments.litellm() / "bin" / "litellm"), "--config", str(path)]
    program = Program(
        "LiteLLM",
        [*command, "--host", "127.0.0.1", "--port", str(port), *_OPTIONS],
        [bench.cores.gateway],
        bench.place / "litellm.log",
        environment=_ENVIRONMENT,
        directory=bench.place,
    )
    with running(program, answers(port, "/health/liveliness")) as process:
        yield Running(port, pids=[process.pid], headers={"authorization": f"Bearer {_KEY}"})


LITELLM: Final = Contender(
    name="litellm",
    title="LiteLLM",
    does="master key; no limits, no Redis",
    start=_start,
    prepare=environments.litellm,
    published=lambda: {
        "environment": "\n".join(f"{name}={value}" for name, value in _ENVIRONMENT.items()),
        "options": f"litellm --config litellm.yaml {' '.join(_OPTIONS)}",
        "litellm.yaml": yaml.safe_dump(config(9001, 9002), sort_keys=False),
    },
    version=lambda _checkout: environments.locked("litellm", "litellm.txt"),
    lanes=frozenset({CLOSED, ONE, FEW_STREAMS}),
)
