"""What Helm makes of the chart, by its own Go code; in the environment of `make deploy-check`.

helm-python-sdk is Helm's library behind ctypes: the same engine as the `helm` command, and the same
linter, without a command.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.files import ROOT, TOOLS, read

CHART: Final = ROOT / "deploy" / "helm" / "spillgate"
_CALL: Final = """
import json, sys, helm_python
asked = json.load(sys.stdin)
chart, values = asked["chart"], asked["values"]
found = helm_python.lint(chart, values, strict=True, kube_version=asked["version"])
with helm_python.Chart.load(chart) as loaded:
    found["rendered"] = loaded.render(values, name="spillgate", namespace=asked["namespace"])
    found["archive"] = loaded.save(asked["into"]) if asked["into"] else ""
print(json.dumps(found))
"""
#: Of Helm's lint messages: warnings and errors.
WARNING: Final = 2


class NotAChart(Exception):
    """Helm does not take it; the message is Helm's."""


def values_of(overlay: str) -> Any:
    """The values that make what an overlay of Kustomize makes."""
    return read(CHART / f"values-{overlay}.yaml")


def helm(
    values: Any, *, chart: Path = CHART, version: str = "v1.37.0", into: Path | None = None
) -> dict[str, Any]:
    """Lint and render; pack into a directory, if one is given. Raises NotAChart."""
    asked = {
        "chart": str(chart),
        "values": values,
        "version": version,
        "namespace": "spillgate",
        "into": str(into) if into else "",
    }
    given = json.dumps(asked)
    command: list[str | Path] = [TOOLS / "python", "-c", _CALL]
    done = subprocess.run(command, input=given, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise NotAChart(done.stderr[-1000:])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def documents(values: Any, *, chart: Path = CHART) -> list[dict[str, Any]]:
    """The objects that an installation would make. Raises NotAChart."""
    rendered = helm(values, chart=chart)["rendered"]
    texts = [text for name, text in rendered.items() if name.endswith(".yaml")]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]
