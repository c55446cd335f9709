"""The rule files of Prometheus as values, and the page that lists the alerts.

`python -m tests.tools.rules` writes docs/alerts.md anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
RULES: Final = tuple(sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml")))
TESTS: Final = tuple(sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yml")))
PAGE: Final = ROOT / "docs" / "alerts.md"
RUNBOOKS: Final = ROOT / "docs" / "runbooks"
#: In front of each alert's runbook: what prometheus.yml says where they are.
BASE: Final = "{{ $externalLabels.runbooks }}"

_HEAD: Final = """# Alerts

Prometheus evaluates them from [`alerts.yml`](../deploy/prometheus/rules/alerts.yml);
`prometheus.yml` at the top has all that is needed. Each has a runbook: what it means, how to
confirm it, what to do, what not to do.

| severity | who is told |
| --- | --- |
| `page` | whoever is on call, at once |
| `ticket` | whoever runs the gateway, in working hours |
| `notice` | a channel; nobody waits |

- **Where runbooks are** is the external label `runbooks` of `prometheus.yml`: put the address of
  your own copy there. It stands in front of each alert's `runbook_url`, and is taken off before
  alerts leave Prometheus.
- **Who is told how** is Alertmanager's: [an example](../deploy/alertmanager/alertmanager.yml).
- **Each alert is tested** by [`promtool`](../deploy/prometheus/tests): it fires on its condition,
  and not just below it.
- **Objectives** are in [`slo.yml`](../deploy/prometheus/rules/slo.yml), with what counts as good,
  bad and neither.
- Dollars and minimum numbers are those of a gateway with some requests a minute: set them to what
  is much to you.

Alerts by what they are about; made from the rule files by `python -m tests.tools.rules`.
"""


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `runbook` is its file and heading, without what stands in front."""

    group: str
    name: str
    expression: str
    lasts: str
    severity: str
    summary: str
    description: str
    runbook: str


def every_rule() -> Iterator[tuple[str, dict[str, Any]]]:
    """Group and rule, of all files."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            for rule in group["rules"]:
                yield group["name"], rule


def alerts() -> tuple[Alert, ...]:
    """All alerts, in the order of their file."""
    return tuple(_alert(group, rule) for group, rule in every_rule() if "alert" in rule)


def expressions() -> dict[str, str]:
    """By the rule's name; recorded series of one name have their labels behind it."""
    found: dict[str, str] = {}
    for _, rule in every_rule():
        labels = "" if "alert" in rule else "".join(map(str, rule.get("labels", {}).values()))
        found[f"{rule.get('alert') or rule['record']} {labels}".strip()] = rule["expr"]
    return found


def page() -> str:
    """docs/alerts.md as it should be."""
    parts = [_HEAD]
    listed = alerts()
    for group in dict.fromkeys(each.group for each in listed):
        rows = [_row(each) for each in listed if each.group == group]
        title = (
            group.removeprefix("spillgate_").replace("_", " ").capitalize().replace("Ptu", "PTU")
        )
        head = "| alert | severity | for | what it says |\n| --- | --- | --- | --- |"
        parts.append(f"## {title}\n\n{head}\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _alert(group: str, rule: dict[str, Any]) -> Alert:
    told = rule["annotations"]
    return Alert(
        group,
        rule["alert"],
        rule["expr"],
        rule.get("for", ""),
        rule["labels"]["severity"],
        told["summary"],
        told["description"],
        told["runbook_url"].removeprefix(BASE),
    )


def _row(alert: Alert) -> str:
    name = f"[`{alert.name}`](runbooks/{alert.runbook})"
    lasts = alert.lasts or "at once"
    return f"| {name} | {alert.severity} | {lasts} | {_plain(alert.summary)} |"


def _plain(text: str) -> str:
    """With what a template inserts named: `{{ $labels.model }}` is `model` in italics."""
    optional = re.sub(
        r"\{\{ with \$labels\.(\w+) \}\}(.*?)\{\{ \. \}\}\{\{ end \}\}", r"\2*\1*", text
    )
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", optional)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
