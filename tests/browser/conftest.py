from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.house import Demo, Person, demo

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
DESKTOP = {"width": 1360, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One demo for all that is looked at."""
    with demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's browser."""
    api = pytest.importorskip("playwright.sync_api", reason="`make browser` installs playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("there is no chromium: `make browser` installs Debian's")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


Meet = Callable[..., Person]


@pytest.fixture
def meet(chromium: Any, house: Demo) -> Iterator[Meet]:
    """Somebody with a browser window of their own; signed in where a key is given."""
    contexts: list[Any] = []

    def met(key: str = "", *, dark: bool = False, phone: bool = False, **options: Any) -> Person:
        context = chromium.new_context(
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else DESKTOP,
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        person = Person(context.new_page(), house.console)
        if key:
            person.sign_in(key)
        return person

    yield met
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, as one script."""
    if not AXE.exists():
        pytest.skip("there is no axe-core: `make browser` installs it")
    return AXE.read_text()
