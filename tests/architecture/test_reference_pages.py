"""The reference pages are the ones that are made from the code, and say what it does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import app.api.admin
from app import errors
from app.bootstrap.restart import READ_AT_START
from app.settings.json_schema import config_schema
from tests.fakes.admin import AdminHouse
from tests.tools import admin_api_page, configuration_page, http_page


def _rows(page: str) -> Iterator[tuple[str, str]]:
    """Rows of tables of the configuration: path of the key, and the whole row."""
    section = ""
    for line in page.splitlines():
        if heading := re.fullmatch(r"##+ ([a-z_][\w.]*)", line):
            section = heading[1]
        if row := re.match(r"\| `(\w+)`", line):
            yield f"{section}.{row[1]}", line


def test_the_configuration_page_is_the_one_that_is_made() -> None:
    """Whoever changes the configuration runs `python -m tests.tools.configuration_page`."""
    assert configuration_page.PAGE.read_text("utf-8") == configuration_page.page()


def test_the_page_on_http_is_the_one_that_is_made() -> None:
    """Whoever changes the classes runs `python -m tests.tools.http_page`."""
    assert http_page.PAGE.read_text("utf-8") == http_page.page()


def test_the_configuration_page_has_every_key_once() -> None:
    """Each kind of mapping has one table with all its keys, in the schema's order."""
    schema: Mapping[str, Any] = config_schema()
    found = [path for path, _ in _rows(configuration_page.page())]
    expected = sum(len(each.get("properties", ())) for each in schema["$defs"].values())
    assert len(found) == len(set(found)) == expected


def test_what_waits_for_the_next_start_is_marked() -> None:
    """As the reload names it, and nothing else: by whole sections and by single keys."""
    rows = dict(_rows(configuration_page.page()))
    marked = {path for path, row in rows.items() if "*start*" in row}
    waiting = {
        path for path in rows if any(f"{path}.".startswith(f"{at}.") for at in READ_AT_START)
    }
    assert marked == waiting
    assert {"listen.port", "timeouts.header_s", "cache.embedder.model"} <= marked
    assert not {"timeouts.body_s", "admin.key", "tracing.sample"} & marked
    assert all(at in schema_paths() for at in READ_AT_START)


def schema_paths() -> set[str]:
    """Sections and the keys of the page."""
    keys = {path for path, _ in _rows(configuration_page.page())}
    return keys | {path.split(".")[0] for path in keys}


def test_the_page_of_the_admin_api_is_the_one_that_is_made() -> None:
    """Whoever changes a route runs `python -m tests.tools.admin_api_page`."""
    assert admin_api_page.PAGE.read_text("utf-8") == admin_api_page.page()


def test_the_page_of_the_admin_api_has_every_route_and_shape() -> None:
    """Each once, and every shape that is named is described."""
    page = admin_api_page.page()
    paths = AdminHouse().app().openapi()["paths"]
    routes = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
    assert sorted(re.findall(r"^### ([A-Z]+ /\S+)$", page, re.MULTILINE)) == sorted(routes)
    shapes = {name.lower() for name in re.findall(r"^### (\w+)$", page, re.MULTILINE)}
    assert len(shapes) > 30
    assert set(re.findall(r"\(#(\w+)\)", page)) <= shapes


def test_the_page_of_the_admin_api_has_every_refusal() -> None:
    """What the admin API's modules raise is among its errors."""
    sources = Path(app.api.admin.__file__).parent.glob("*.py")
    raised = {
        name for each in sources for name in re.findall(r"raise (\w+)\(", each.read_text("utf-8"))
    }
    known = {name for name, each in vars(errors).items() if isinstance(each, type)}
    assert raised & known
    assert raised & known <= {each.__name__ for each in admin_api_page.REFUSALS}
