"""The page that lists every key of the configuration.

`python -m tests.tools.configuration_page` writes docs/configuration.md anew, and the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from app.bootstrap.restart import READ_AT_START
from app.cli.schema import schema_text
from app.settings.json_schema import config_schema
from tests.tools.schema_words import cell, kind, shown

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "configuration.md"
SCHEMA: Final = ROOT / "docs" / "spillgate.schema.json"

_HEAD: Final = """# Configuration

Every key of the file that `spillgate serve --config FILE` reads. The least is in the
[quick start](start.md#2-a-config-for-your-own-two-deployments);
[`examples/spillgate.yaml`](../examples/spillgate.yaml) has a whole one with comments.
`spillgate init` writes a first one, and `spillgate check --config FILE` names every mistake with
its line and column.

- **YAML.** A key that is not listed here is a mistake. A key that is left empty counts as left
  out.
- **Secrets** stay out of the file. `${NAME}` is an environment variable, and `${file:PATH}` what a
  file holds, relative to the config; both may stand in any text. `$${` is the characters
  themselves.
- **Overrides.** `SPILLGATE__LISTEN__PORT=9000` stands before what the file says at `listen.port`.
  A name in the path may be written in capitals, with `_` for `-` and `.`.
- **A reload** (SIGHUP, or a changed file) brings what is not marked *start*. What is marked waits
  for the next start, and the log names it. [How reloads go](architecture.md#reloading-and-ending).
- **Tenants** are seeds. They are created when they are not there; after that the [admin
  API](admin.md) owns them.
- Names that end in `_s` are seconds, `_ms` milliseconds. Money is in US dollars, a share is from 0
  to 1. Days are like 2026-12-01, in UTC.
- **In the tables**, *needed* keys have no default. `NAME` is a name of yours: letters, digits,
  `.`, `_` and `-`, 63 characters at most.

## In an editor

[`spillgate.schema.json`](spillgate.schema.json) is a JSON Schema of all this; `spillgate schema`
prints the one of the version that is installed. Editors complete keys by it, show what they mean,
and underline mistakes. With the YAML extension of Visual Studio Code, and others that use
`yaml-language-server`, the config's first line names it:

```yaml
# yaml-language-server: $schema=./spillgate.schema.json
```

Write the schema beside the config for that: `spillgate schema > spillgate.schema.json`. Where it is
there already, `spillgate init` writes the line. JetBrains' editors have it under *JSON Schema
Mappings*. The schema knows one file's shape alone. Whether a name is known, a secret is set, or two
sections agree is what `spillgate check` finds.

"""
_COLUMNS: Final = "| key | what it may be | default | what it says |\n|---|---|---|---|"


class _Tables:
    """A table for each kind of mapping; one that stands in several places has one."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._places: dict[str, str] = {}

    def lines(self) -> Iterator[str]:
        """The tables, each section's parts below it."""
        for key, value in self._root["properties"].items():
            yield f"## {key}\n"
            if value.get("description"):
                yield f"{value['description']}\n"
            yield from self._below(key, value)

    def _below(self, path: str, value: Mapping[str, Any]) -> Iterator[str]:
        for place, name in _mappings(path, value):
            if first := self._places.get(name):
                yield f"`{place}`: the same keys as [`{first}`](#{_anchor(first)}).\n"
                continue
            self._places[name] = place
            yield from self._table(place, self._root["$defs"][name])

    def _table(self, place: str, section: Mapping[str, Any]) -> Iterator[str]:
        if "." in place:
            yield f"### {place}\n"
        yield f"{section['description']}\n"
        yield _COLUMNS
        for key, each in section["properties"].items():
            default = shown(each.get("default"))
            yield _row(
                f"{place}.{key}",
                each,
                "*needed*" if key in section.get("required", ()) else default,
            )
        yield ""
        for key, each in section["properties"].items():
            yield from self._below(f"{place}.{key}", each)


def _row(path: str, value: Mapping[str, Any], default: str) -> str:
    key, start = path.rsplit(".", 1)[1], " *start*" if _waits(path) else ""
    return f"| `{key}`{start} | {_kind(value)} | {default} | {cell(value.get('description', ''))} |"


def page() -> str:
    """The whole page."""
    return _HEAD + "\n".join(_Tables(config_schema()).lines())


def _mappings(path: str, value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a value may be a mapping of known keys, and of which."""
    for each in (value, *value.get("anyOf", ())):
        if (name := str(each.get("$ref", "/Reference")).rsplit("/", 1)[1]) != "Reference":
            yield path, name
        for entry in each.get("patternProperties", {}).values():
            yield from _mappings(f"{path}.NAME", entry)


def _waits(path: str) -> bool:
    return any(path == each or path.startswith(f"{each}.") for each in READ_AT_START)


def _anchor(heading: str) -> str:
    return heading.replace(".", "").lower()


def _mapping(name: str) -> str:
    return "" if name == "Reference" else "mapping"


def _kind(value: Mapping[str, Any]) -> str:
    """What may stand there; that it may be a reference, or left empty, is said above the tables."""
    options = [each for each in value.get("anyOf", ()) if each != {"type": "null"}]
    return kind({"anyOf": options} if options else value, _mapping)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
