"""What pycep reads in Bicep files, as JSON; it runs in the environment of `make deploy-check`.

Syntax and names alone: nothing here knows which types and properties Azure has.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Any, Final

from tests.deploy.files import ROOT, TOOLS

INFRA: Final = ROOT / "deploy" / "azure" / "infra"
MAIN: Final = INFRA / "main.bicep"
_READ: Final = """
import json, sys, pycep
text = sys.stdin.read()
print(json.dumps(pycep.BicepParser().parse(text=text), default=str))
"""


class NotBicep(Exception):
    """What was read is none; the message is the parser's."""


@dataclass(frozen=True, slots=True)
class Bicep:
    """One file: parameters with whether they have to be given, outputs, and modules."""

    parameters: dict[str, bool]
    outputs: frozenset[str]
    modules: dict[str, dict[str, Any]]


def parsed(text: str) -> Bicep:
    """A file's text. Raises NotBicep."""
    done = subprocess.run(
        [TOOLS / "python", "-c", _READ], input=text, check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise NotBicep(done.stderr[-1000:])
    tree = json.loads(done.stdout)
    parameters = {name: "default" not in each for name, each in tree.get("parameters", {}).items()}
    return Bicep(parameters, frozenset(tree.get("outputs", {})), tree.get("modules", {}))
