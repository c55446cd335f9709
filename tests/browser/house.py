"""A demo of its own, a browser, and what a person does with both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.command import Spillgate, spillgate

READY = r"What the simulated Azure saw: (\S+)\n"
#: Whatever is slow on a busy machine is not what is tested.
PATIENCE_MS = 60_000


@dataclass(slots=True)
class Demo:
    """A demo that runs, without traffic of its own."""

    command: Spillgate

    def _export(self, name: str) -> str:
        found = re.search(rf"^export {name}=(\S+)$", self.command.output, re.MULTILINE)
        assert found, name
        return found[1]

    @property
    def base_url(self) -> str:
        """What an SDK is pointed at."""
        return self._export("OPENAI_BASE_URL")

    @property
    def admin_url(self) -> str:
        """Of the admin port."""
        return self._export("SPILLGATE_ADMIN_URL")

    @property
    def admin_key(self) -> str:
        """The owner's."""
        return self._export("SPILLGATE_ADMIN_KEY")

    @property
    def console(self) -> str:
        """The console's address, as the demo prints it."""
        found = re.search(r"sign in with that key: (\S+/console)/", self.command.output)
        assert found
        return found[1]

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """What the admin API answers to the owner."""
        answer = httpx2.request(
            method,
            f"{self.admin_url}/admin/v1{path}",
            json=body,
            headers={"authorization": f"Bearer {self.admin_key}"},
            timeout=60,
        )
        return answer.raise_for_status().json()

    def metric(self, family: str, **labels: str) -> float:
        """The sum of a family's series with these labels, as `/metrics` tells them."""
        lines = httpx2.get(f"{self.admin_url}/metrics", timeout=60).text.splitlines()
        wanted = [f'{name}="{value}"' for name, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in lines
            if re.match(rf"{family}[{{ ]", line) and all(each in line for each in wanted)
        )


@contextmanager
def demo(cwd: Path) -> Iterator[Demo]:
    """One on free ports."""
    with spillgate("demo", "--port", "0", "--admin-port", "0", "--no-traffic", cwd=cwd) as running:
        running.wait_for(READY)
        yield Demo(running)


@dataclass  # playwright keeps something on whoever listens
class Person:
    """Somebody with a browser; `page` is playwright's. `complaints` is what the browser minds."""

    page: Any
    console: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", self._be_asked)

    def _hear(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text}")

    def _be_asked(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open(self, path: str) -> None:
        """A page of the console."""
        self.page.goto(f"{self.console}{path}", wait_until="load")

    def sign_in(self, key: str) -> None:
        """By keyboard: the field has to be where the first Tabs lead."""
        self.open("/sign-in")
        for _ in range(10):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("document.activeElement.id") == "key":
                break
        self.page.keyboard.type(key)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("nav a[aria-current]")

    def text(self) -> str:
        """All that is to be read."""
        return " ".join(self.page.inner_text("body").split())

    def links(self) -> list[str]:
        """The pages of the menu."""
        return [each.inner_text() for each in self.page.query_selector_all("nav a")]
