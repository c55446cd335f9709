"""One simulator and one gateway in front of it, as processes, and how a client reaches both."""

from __future__ import annotations

import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from app.cli.key import new_key
from tests.e2e.command import Spillgate, spillgate
from tests.sdk_matrix.plan import Pair, Plan, Side

API_VERSION: Final = "2024-10-21"
UPSTREAM_KEY: Final = "the-deployments-own-key"
DEADLINE_S: Final = 20.0

#: What a URL shape of an upstream needs besides its name.
_APIS: Final[dict[str, dict[str, str]]] = {
    "v1": {},
    "classic": {"api_version": API_VERSION},
    "openai": {},
}
#: What is asked for, and how the deployment behind it behaves.
_TARGETS: Final[dict[str, dict[str, Any]]] = {
    "chat": {"model": "gpt-4o"},
    "embeddings": {"model": "text-embedding-3-small"},
    "small": {"model": "gpt-4o", "context_window": 500},
    "slow": {"model": "gpt-4o", "simulator": {"ttft_ms": 60_000}},
}
#: Which SDK class meets which upstream. AzureOpenAI cannot call an OpenAI server itself, so there
#: is nothing to compare that pair with.
_PAIRS: Final = (
    ("OpenAI", "v1"),
    ("OpenAI", "openai"),
    ("OpenAI", "classic"),
    ("AzureOpenAI", "classic"),
    ("AzureOpenAI", "v1"),
)


@dataclass(frozen=True, slots=True)
class Servers:
    """Where both are, and the tenant's key."""

    gateway: str
    simulator: str
    key: str

    def plan(self) -> Plan:
        """What a driver needs to know."""
        return Plan(API_VERSION, [self._pair(client, api) for client, api in _PAIRS])

    def _pair(self, client: str, api: str) -> Pair:
        surface = "/v1" if client == "OpenAI" else ""
        gateway = dict.fromkeys(_TARGETS, f"{self.gateway}{surface}")
        direct = {target: self._direct(client, api, target) for target in _TARGETS}
        return Pair(
            client=client,
            upstream=api,
            models={target: _name(target, api) for target in _TARGETS},
            gateway=Side(gateway, self.key),
            direct=Side(direct, UPSTREAM_KEY),
        )

    def _direct(self, client: str, api: str, target: str) -> str:
        """The upstream as this SDK class reaches it without a gateway."""
        endpoint = f"{self.simulator}/{_name(target, api)}"
        if client == "AzureOpenAI":
            return endpoint
        return f"{endpoint}/v1" if api == "openai" else f"{endpoint}/openai/v1/"


@contextmanager
def running(directory: Path) -> Iterator[Servers]:
    """Start both in `directory`, on free ports; end both, whatever happens."""
    key = new_key("test")
    simulated, served = directory / "simulated.yaml", directory / "served.yaml"
    simulated.write_text(yaml.safe_dump(_config("http://127.0.0.1:9", key)))
    simulate = ("simulate", "--config", str(simulated), "--port", "0")
    with spillgate(*simulate, cwd=directory) as first, _ended(first):
        simulator = first.wait_for(r"(http://127\.0\.0\.1:\d+)/chat-v1\n")[1]
        _wait_until_answered(f"{simulator}/_sim/ledger")
        served.write_text(yaml.safe_dump(_config(simulator, key)))
        serve = ("serve", "--config", str(served))
        with spillgate(*serve, cwd=directory) as second, _ended(second):
            gateway = second.logged("serving")["data"]
            _wait_until_answered(f"{gateway}/readyz")
            yield Servers(gateway, simulator, key)


@contextmanager
def _ended(process: Spillgate) -> Iterator[None]:
    """Ask it to end before it is killed, so that its Redis ends too."""
    try:
        yield
    finally:
        process.end()


def _config(simulator: str, key: str) -> dict[str, Any]:
    """Every target on every URL shape; a model and its deployment have one name."""
    names = [(target, api) for target in _TARGETS for api in _APIS]
    return {
        "listen": {"port": 0, "admin_port": 0},
        "simulator": {"ttft_ms": 0, "tpot_ms": 0},
        "deployments": {_name(*each): _deployment(simulator, *each) for each in names},
        "models": {_name(*each): {"tiers": [[_name(*each)]]} for each in names},
        "admin": {"key": "an-admin-key-of-tests"},
        "tenants": {"sdk-matrix": {"keys": [key]}},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }


def _deployment(simulator: str, target: str, api: str) -> dict[str, Any]:
    endpoint = f"{simulator}/{_name(target, api)}"
    return {
        "kind": "paygo",
        "endpoint": f"{endpoint}/v1" if api == "openai" else endpoint,
        "api": api,
        "auth": {"api_key": UPSTREAM_KEY},
        **_APIS[api],
        **_TARGETS[target],
    }


def _name(target: str, api: str) -> str:
    return f"{target}-{api}"


def _wait_until_answered(url: str) -> None:
    """Poll until the URL answers with 200; TimeoutError when it never does."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        with (
            contextlib.suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=1) as answer,  # noqa: S310  # our own http URL
        ):
            if answer.status == 200:
                return
        time.sleep(0.02)
    message = f"{url} did not answer within {DEADLINE_S:g} s"
    raise TimeoutError(message)
