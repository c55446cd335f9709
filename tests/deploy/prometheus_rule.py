"""Prometheus's rule files as one PrometheusRule of Kubernetes' operator.

`python -m tests.deploy.prometheus_rule` writes it anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from tests.tools.rules import ROOT, RULES

PLACE: Final = ROOT / "deploy" / "kubernetes" / "components" / "monitoring" / "prometheusrule.yaml"
_HEAD: Final = """# Made from deploy/prometheus/rules by `python -m tests.deploy.prometheus_rule`.
#
# The external label `runbooks` of the Prometheus that evaluates them says where runbooks are.
"""


def groups_of(path: Path) -> list[dict[str, Any]]:
    """A rule file's groups."""
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["groups"]
    return found


def generated() -> str:
    """The file as it should be."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "spillgate"},
        "spec": {"groups": [group for path in RULES for group in groups_of(path)]},
    }
    return _HEAD + yaml.safe_dump(resource, sort_keys=False, width=100, allow_unicode=True)


def main() -> None:
    """Write it."""
    PLACE.write_text(generated(), encoding="utf-8")


if __name__ == "__main__":
    main()
