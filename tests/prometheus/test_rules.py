"""Rules and alerts: valid, proven by promtool, about metrics that exist, each with a runbook."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final

import promql_parser as promql
import pytest
import yaml

from app.adapters.metrics.families import BY_NAME
from app.settings.process import Listen
from tests.grafana.promql import labels as labels_of
from tests.grafana.promql import matchers, recorded, selectors
from tests.tools.prometheus import amtool, promtool
from tests.tools.rules import BASE, PAGE, ROOT, RULES, RUNBOOKS, TESTS, alerts, expressions, page

CONFIG: Final = ROOT / "prometheus.yml"
ALERTMANAGER: Final = ROOT / "deploy" / "alertmanager" / "alertmanager.yml"
SEVERITIES: Final = {"page", "ticket", "notice"}
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
#: Labels whose values are configured names or statuses, not a set that a family's help lists.
OPEN: Final = {"job", "status", "limit", "le", "slo", "tenant"}
#: Sets that the domain has, and help texts need not repeat.
KINDS: Final = {"ptu", "paygo"}
#: Made by Prometheus itself.
SCRAPED: Final = "up"

each_alert = pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
each_expression = pytest.mark.parametrize(
    "expression", expressions().values(), ids=expressions().keys()
)


def test_prometheus_takes_the_config_and_every_rule() -> None:
    """As it would at its start."""
    answer = promtool("check", "config", CONFIG)
    assert answer.returncode == 0, answer.stdout
    assert all(f"{path.relative_to(ROOT)}" in answer.stdout for path in RULES)


def test_alertmanager_takes_its_example() -> None:
    """Routes, receivers and inhibitions."""
    answer = amtool("check-config", ALERTMANAGER)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_rules_do_what_they_say(path: Path) -> None:
    """Each test of promtool: known series, and what follows from them at a time."""
    answer = promtool("test", "rules", path)
    assert answer.returncode == 0, answer.stdout


def _tested(key: str) -> list[dict[str, Any]]:
    files = (yaml.safe_load(path.read_text("utf-8")) for path in TESTS)
    return [each for file in files for case in file["tests"] for each in case.get(key, [])]


def test_what_is_compared_is_rounded() -> None:
    """Promtool compares to the last bit, and the last bit of a sum is not the same each time."""
    exact = [each["expr"] for each in _tested("promql_expr_test") if each["exp_samples"]]
    assert [expr for expr in exact if not expr.startswith("round(")] == []


@each_alert
def test_an_alert_is_shown_to_fire_and_not_to_fire(alert: Any) -> None:
    """Both; an alert that fires always, or never, passes half of it."""
    tested = [each for each in _tested("alert_rule_test") if each["alertname"] == alert.name]
    assert {bool(each["exp_alerts"]) for each in tested} == {True, False}


def test_every_recorded_series_is_tested() -> None:
    """By an expression of a test that names it, or an alert that is tested through it."""
    asked = " ".join(each["expr"] for each in _tested("promql_expr_test"))
    used = " ".join(each.expression for each in alerts())
    untested = [name for name in recorded() if f"{name}" not in asked + used]
    assert [name for name in untested if not name.startswith("slo:objective")] == []


@each_alert
def test_an_alert_says_who_is_told_and_what_to_do(alert: Any) -> None:
    """A name in CamelCase, a severity of the three, sentences, and a runbook."""
    assert re.fullmatch(r"Spillgate(?:[A-Z][a-z]+)+", alert.name)
    assert alert.severity in SEVERITIES
    assert alert.summary.endswith(".")
    assert alert.description.endswith(".")
    file, anchor = alert.runbook.split("#")
    assert anchor == alert.name.lower()
    assert f"## {alert.name}\n" in (RUNBOOKS / file).read_text("utf-8")


@each_alert
def test_an_alert_tells_its_value(alert: Any) -> None:
    """Or has none but that something is so."""
    is_so = re.search(r"== [01]$|^absent|== 1$", alert.expression.strip())
    assert is_so or "$value" in alert.description


def test_every_runbook_has_its_alerts_and_no_others() -> None:
    """What is no alert any more has no heading, and a heading's steps are all there."""
    known = {each.name: each.runbook.split("#")[0] for each in alerts()}
    for path in set(RUNBOOKS.glob("*.md")) - {RUNBOOKS / "README.md"}:
        sections = path.read_text("utf-8").split("\n## ")[1:]
        assert sections, path.name
        for section in sections:
            assert known.pop(section.splitlines()[0]) == path.name
            for step in ("It means", "Users notice", "Confirm", "Do", "Do not", "It ends"):
                assert re.search(rf"\*\*{step}\b", section), (section.splitlines()[0], step)
    assert known == {}


@each_expression
def test_rules_ask_for_metrics_and_labels_that_exist(expression: str) -> None:
    """Names, matchers, what is aggregated by, and both sides of each join."""
    parsed = promql.parse(expression)
    for selector, _ in selectors(parsed):
        if selector.name == SCRAPED:
            return
        _check_values(selector)
    labels_of(parsed)


def _check_values(selector: Any) -> None:
    """Values that a matcher names are those of the family: in its help, or bounds of buckets."""
    name = re.sub(r"_(?:bucket|count|sum)$", "", selector.name)
    family = BY_NAME.get(selector.name) or BY_NAME.get(name)
    for label, asked in matchers(selector).items():
        operator, values = re.findall(r"^(!?=~?|!~)(.*)$", asked)[0]
        if family is None:
            assert label in OPEN
        elif label == "le":
            assert operator == "="
            assert values in {str(bound) for bound in family.buckets}
        elif label not in OPEN:
            assert set(values.split("|")) <= KINDS | _told(label)


@cache
def _told(label: str) -> set[str]:
    """The words in which help tells a label's values."""
    return {
        word
        for family in BY_NAME.values()
        if label in family.labels
        for word in re.findall(r"\w+", family.help)
    }


def test_each_objective_has_every_window_and_a_bound_below_one() -> None:
    """14.4 times a budget of more than 7 % can never be exceeded."""
    found = recorded()
    assert all(f"slo:sli_error:ratio_rate{window}" in found for window in WINDOWS)
    text = (ROOT / "deploy" / "prometheus" / "rules" / "slo.yml").read_text("utf-8")
    rules = [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]
    told: dict[str, set[str]] = {}
    for rule in rules:
        if "labels" in rule:
            told.setdefault(rule["record"], set()).add(rule["labels"]["slo"])
    assert len(told) == 3
    assert len({frozenset(slos) for slos in told.values()}) == 1
    objectives = [float(each) for each in re.findall(r"vector\((.*?)\)", text)]
    assert all(14.4 * (1 - objective) < 1 for objective in objectives)


def test_the_config_names_the_job_the_port_and_the_runbooks() -> None:
    """Rules know the job by its name; the port is the admin listener's."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    (scrape,) = config["scrape_configs"]
    assert scrape["job_name"] == "spillgate"
    ((target,),) = [each["targets"] for each in scrape["static_configs"]]
    assert target.endswith(f":{Listen().admin_port}")
    assert (ROOT / config["global"]["external_labels"]["runbooks"]) == RUNBOOKS
    assert set(RULES) == {path for glob in config["rule_files"] for path in ROOT.glob(glob)}


def test_alertmanager_knows_alerts_by_their_names_and_severities() -> None:
    """A rule about an alert that was renamed would be silent."""
    config = yaml.safe_load(ALERTMANAGER.read_text("utf-8"))
    named = set(re.findall(r"Spillgate\w+", ALERTMANAGER.read_text("utf-8")))
    assert named <= {each.name for each in alerts()}
    routed = {
        m.split("=")[1].strip() for each in config["route"]["routes"] for m in each["matchers"]
    }
    assert routed <= SEVERITIES
    assert SEVERITIES - routed == {"ticket"}  # those go where nothing else does


def test_the_table_of_alerts_is_that_of_the_rules() -> None:
    """`python -m tests.tools.rules` writes it."""
    assert PAGE.read_text("utf-8") == page()


def test_runbooks_are_where_alerts_say() -> None:
    """The base is a label that config can set, and no path of its own."""
    assert all(BASE in each for path in RULES for each in _urls(path))


def _urls(path: Path) -> list[str]:
    return re.findall(r"runbook_url: (.*)", path.read_text("utf-8"))
