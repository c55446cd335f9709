"""A gateway for pages' commands: the example's config, simulated, and a tenant as new."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from app.cli.key import new_key
from tests.docs.blocks import ROOT
from tests.docs.forked import READY
from tests.e2e.command import Spillgate, spillgate

#: The tenant that pages speak of.
TENANT: Final = "search-team"
#: Of the example's config: free ports, no waiting, a little of everything that a page may look at.
_OVERRIDES: Final = {
    "SPILLGATE__LISTEN__HOST": "127.0.0.1",
    "SPILLGATE__LISTEN__PORT": "0",
    "SPILLGATE__LISTEN__ADMIN_PORT": "0",
    "SPILLGATE__SIMULATOR__TTFT_MS": "0",
    "SPILLGATE__SIMULATOR__TPOT_MS": "0",
    "SPILLGATE__TIMEOUTS__DRAIN_LAG_S": "0",
    "SPILLGATE__TIMEOUTS__DRAIN_S": "1",
}


@dataclass(frozen=True, slots=True)
class House:
    """Where everything is, and what the config's variables are."""

    directory: Path
    data_url: str
    admin_url: str
    secrets: dict[str, str]
    command: Path  # the socket of `tests.docs.forked`

    @property
    def config(self) -> Path:
        """The configuration that is in force."""
        return self.directory / "spillgate.yaml"

    def fresh_tenant(self) -> str:
        """Make the pages' tenant anew, its answers kept; a key of it."""
        self.no_tenant()
        kept = {"exact": {"enabled": True}}
        self._admin("POST", "tenants", {"name": TENANT, "cache": kept})
        made = self._admin("POST", f"tenants/{TENANT}/keys", {"name": "search-api"})
        return str(made["data"]["key"])

    def no_tenant(self) -> None:
        """For a page that makes it."""
        with contextlib.suppress(FileNotFoundError):
            self._admin("DELETE", f"tenants/{TENANT}")

    def _admin(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  # our own http URL
            f"{self.admin_url}/admin/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "authorization": f"Bearer {self.secrets['SPILLGATE_ADMIN_KEY']}",
                "content-type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # the same
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                raise FileNotFoundError(path) from error
            raise AssertionError(error.read()) from error


@contextmanager
def house(directory: Path) -> Iterator[House]:
    """Start the gateway and the command's server in a directory; end both."""
    names = ("SPILLGATE_ADMIN_KEY", "SWEDEN_KEY", "SEARCH_TEAM_KEY", "REPORTS_KEY")
    secrets = {name: new_key("test") for name in names}
    (directory / "spillgate.yaml").write_text((ROOT / "examples" / "spillgate.yaml").read_text())
    arguments = ("serve", "--config", "spillgate.yaml", "--simulate")
    with (
        _command(directory / "command") as command,
        spillgate(*arguments, cwd=directory, **_OVERRIDES, **secrets) as gateway,
    ):
        served = gateway.logged("serving")
        yield House(directory, served["data"], served["admin"], secrets, command)
        gateway.end()


@contextmanager
def _command(path: Path) -> Iterator[Path]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.docs.forked", str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        Spillgate(process).wait_for(READY)
        yield path
        process.terminate()
