"""Blocks that are read and not run: each by whoever reads its format."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import promql_parser
import yaml

from app.cli.check import OK, check
from app.cli.key import new_key
from tests.docs.blocks import ROOT, Block

EXAMPLE: Final = ROOT / "examples" / "spillgate.yaml"
DIAGRAMS: Final = ("flowchart", "sequenceDiagram", "stateDiagram-v2", "classDiagram", "erDiagram")
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
#: What pages speak of besides the example's own: further PTUs.
_PTU: Final = {
    "kind": "ptu",
    "ptus": 15,
    "model": "gpt-4o",
    "endpoint": "https://contoso-west.openai.azure.com",
    "auth": {"entra": {}},
}
_MORE: Final = {"deployments": {"ptu-west": _PTU, "ptu-test": _PTU}}
#: In a fragment: what else is there.
_REST: Final = "…"
_CONNECTION: Final = "InstrumentationKey=00000000-0000-0000-0000-000000000001"


class Unreadable(Exception):
    """A block is not what its language says; the text says where and why."""


def read(block: Block, directory: Path) -> None:
    """Read it as a reader's program would. Raises Unreadable."""
    readers: dict[str, Callable[[str], object]] = {
        "json": _json,
        "toml": tomllib.loads,
        "promql": promql_parser.parse,
        "mermaid": _diagram,
        "yaml": partial(_config, directory=directory),
    }
    try:
        readers[block.language](block.text)
    except (ValueError, yaml.YAMLError) as error:
        raise Unreadable(f"{block.place}: {error}") from error


def _json(text: str) -> object:
    """A value, or members that stand for an object's."""
    return json.loads(f"{{{text}}}" if text.lstrip().startswith('"') else text)


def _diagram(text: str) -> None:
    if not text.lstrip().startswith(DIAGRAMS):
        raise ValueError(f"begins with none of {', '.join(DIAGRAMS)}")


def _config(text: str, directory: Path) -> None:
    """A config of the gateway's, whole, or as a part of the example."""
    given = yaml.safe_load(text)
    if given is None:
        return  # comments alone
    if not isinstance(given, dict):
        raise ValueError("is no mapping, as a config is")  # noqa: TRY004  # of a text, not a type
    whole = {"deployments", "models", "admin"} <= given.keys()
    path = directory / "spillgate.yaml"
    path.write_text(text if whole else yaml.safe_dump(merged(_example(), given)), "utf-8")
    result = check(path, _variables(path.read_text("utf-8")), cpus=lambda: 64)
    if result.exit_code != OK:
        raise ValueError("\n".join((*result.lines, _OTHERS)))


_OTHERS: Final = (
    "(a block that another program reads says so: <!-- not run: another program -->; a part of a"
    " config is merged into examples/spillgate.yaml, and refers to what is there)"
)


def merged(base: Any, part: Any) -> Any:
    """The base with what the part says in its place; mappings are merged, all else is replaced."""
    if not isinstance(base, dict) or not isinstance(part, dict):
        return part
    said = {name: value for name, value in part.items() if name != _REST}
    return base | {name: merged(base.get(name), value) for name, value in said.items()}


def _example() -> Any:
    return merged(yaml.safe_load(EXAMPLE.read_text("utf-8")), _MORE)


def _variables(text: str) -> Mapping[str, str]:
    """A value for each variable that a config names: a key, or what its name asks for."""
    return {name: _value(name) for name in _VARIABLE.findall(text)}


def _value(name: str) -> str:
    if name.endswith("CONNECTION_STRING"):
        return _CONNECTION
    if name.endswith(("_URL", "_HOOK")):
        return "redis://127.0.0.1:6379/0" if "HOOK" not in name else "https://chat.example/hook"
    return new_key("test")
