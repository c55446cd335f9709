"""The rules of Grafana's dashboard-linter, and some of our own, on every dashboard.

The linter is a Go program that no package has; its rules are those of 2026-06.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import promql_parser as promql
import pytest

from app.adapters.metrics.families import FAMILIES
from tests.grafana.boards import (
    DASHBOARDS,
    ROOT,
    Json,
    board,
    every_panel,
    every_target,
    filled,
    panels,
)
from tests.grafana.promql import labels, matchers, recorded, selectors
from tests.tools.command_line import command_names

#: Of Grafana's list those that our figures have.
UNITS: Final = frozenset(
    {
        "bool_yes_no",
        "bytes",
        "currencyUSD",
        "ops",
        "percentunit",
        "reqps",
        "s",
        "short",
    }
)
SCHEMA: Final = 41
MOST_PANELS: Final = 20
GRID: Final = 24
#: 1080 pixels less the bars of the browser and Grafana, in Grafana's units of 38.
SCREEN: Final = 30
#: Series that Prometheus makes itself, and rules that have no instance any more.
SCRAPE: Final = frozenset({"up"})
GROWTH: Final = frozenset({"rate", "irate", "increase"})

each_board = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
TARGETS: Final = [(panel, target) for _, panel, target in every_target()]
each_target = pytest.mark.parametrize(
    ("panel", "target"), TARGETS, ids=[name for name, _, _ in every_target()]
)
each_panel = pytest.mark.parametrize(
    "panel", [panel for _, panel in every_panel()], ids=[name for name, _ in every_panel()]
)


def test_there_are_five() -> None:
    """Four questions and the gateway itself."""
    assert len(DASHBOARDS) == 5


@each_board
def test_a_dashboard_is_one_page_that_nobody_edits(path: Path) -> None:
    """Its schema, its question, as many panels as fit on a screen, and ids that are unique."""
    read = board(path)
    assert (read["schemaVersion"], read["uid"]) == (SCHEMA, path.stem)
    assert read["editable"] is False
    assert read["description"].endswith("?")
    assert len(panels(read)) <= MOST_PANELS
    ids = [panel["id"] for panel in read["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in read["panels"]]
    assert len(set(titles)) == len(titles)
    places = [panel["gridPos"] for panel in read["panels"]]
    assert max(place["y"] + place["h"] for place in places) <= SCREEN


@each_board
def test_panels_fill_the_grid(path: Path) -> None:
    """No two overlap, and no row has a gap."""
    taken: dict[tuple[int, int], str] = {}
    for panel in board(path)["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    bottom = max(y for _, y in taken) + 1
    assert len(taken) == GRID * bottom


@each_board
def test_variables_choose_what_is_looked_at(path: Path) -> None:
    """template-datasource, -job, -instance, -label-promql and -on-time-change-reload-rule."""
    found = {each["name"]: each for each in board(path)["templating"]["list"]}
    source = found.pop("datasource")
    assert (source["query"], source["label"]) == ("prometheus", "Data source")
    assert {"job", "instance"} <= set(found)
    for name, each in found.items():
        if each["type"] != "query":
            continue
        assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert (each["multi"], each["includeAll"]) == (True, True)
        assert each["label"] == name.capitalize()
        assert each["refresh"] == 2, "read again when another time is looked at"
        asked = re.fullmatch(r"label_values\((.*), (\w+)\)", each["query"]["query"])
        assert asked is not None
        known = labels(promql.parse(filled(asked.group(1))))
        assert known is not None
        assert asked.group(2) in known
    assert found["job"]["allValue"] == found["instance"]["allValue"] == ".+"


@each_board
def test_every_variable_is_used(path: Path) -> None:
    """What can be chosen makes a difference: in a query, or for another variable."""
    read = board(path)
    asked = [target["expr"] for panel in panels(read) for target in panel["targets"]]
    asked += [str(each.get("query")) for each in read["templating"]["list"]]
    asked += [link["url"] for panel in panels(read) for link in panel.get("links", ())]
    for each in read["templating"]["list"]:
        if each["type"] != "datasource":
            name = each["name"]
            assert any(re.search(rf"\$\{{?{name}\b", text) for text in asked), name


@each_board
def test_dashboards_lead_to_each_other(path: Path) -> None:
    """With the same time and the same choices."""
    read = board(path)
    (link,) = read["links"]
    assert (link["type"], link["includeVars"], link["keepTime"]) == ("dashboards", True, True)
    assert set(link["tags"]) <= set(read["tags"])


@each_panel
def test_a_panel_says_what_it_shows_and_what_to_do(panel: Json) -> None:
    """panel-title-description-, -units-, -datasource- and -no-targets-rule, and an instruction."""
    shows, _, act = panel["description"].partition("\n\n**When it is red:** ")
    assert panel["title"]
    assert len(shows.split()) >= 4, "says what is shown"
    assert len(act.split()) >= 4, "says what to do"
    assert panel["targets"]
    assert panel["datasource"]["uid"] == "${datasource}"
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in UNITS
    for each in panel["fieldConfig"]["overrides"]:
        for value in each["properties"]:
            assert value["id"] != "unit" or value["value"] in UNITS


@each_panel
def test_a_red_panel_leads_on(panel: Json) -> None:
    """What can turn red has a runbook; runbooks that are named are there."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    pages = [link["url"] for link in panel.get("links", ())]
    if any(step["color"] == "red" for step in steps):
        assert pages, "a threshold without a runbook"
    for url in pages:
        page, _, alert = url.removeprefix("${runbooks}").partition("#")
        text = (ROOT / "docs" / "runbooks" / page).read_text("utf-8")
        assert alert in re.findall(r"^#+ (\w+)$", text.lower(), re.MULTILINE), url


@each_panel
def test_latency_leads_to_traces(panel: Json) -> None:
    """Exemplars are asked for where the gateway gives them, and such panels link to traces."""
    has_exemplars = any(target["exemplar"] for target in panel["targets"])
    links = panel["fieldConfig"]["defaults"].get("links", [])
    is_latency = any(
        f"llm_{name}_seconds_bucket" in target["expr"]
        for name in ("request_latency", "time_to_first_token", "time_per_output_token")
        for target in panel["targets"]
    )
    assert has_exemplars == bool(links)
    if is_latency and panel["type"] in {"timeseries", "heatmap"}:
        assert has_exemplars
        assert "traces" in links[0]["url"]
        assert "${__from}" in links[0]["url"]


@each_target
def test_expressions_name_what_there_is(panel: Json, target: Json) -> None:
    """Valid PromQL, over our metrics and their labels, with sides that match; so is the legend."""
    expr = filled(target["expr"])
    known = labels(promql.parse(expr)) or frozenset()
    assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= known, "its legend"
    if panel["type"] in {"timeseries", "bargauge"}:
        assert target["legendFormat"]
        shown = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
        assert known - shown <= {"deployment"}, "series that cannot be told apart"


@each_target
def test_expressions_are_narrowed_to_job_and_instance(panel: Json, target: Json) -> None:
    """target-job- and target-instance-rule; what rules record has the job alone."""
    for selector, _ in selectors(promql.parse(_kept(target["expr"]))):
        asked = matchers(selector)
        assert asked.get("job") == "=~@job", selector
        if selector.name not in recorded():
            assert asked.get("instance") == "=~@instance", selector


@each_target
def test_counters_grow_over_what_fits_the_screen(panel: Json, target: Json) -> None:
    """target-counter-agg-, -rate-interval- and -histogram-rule."""
    for selector, above in selectors(promql.parse(filled(target["expr"]))):
        call = above[-2].func.name if len(above) > 1 and hasattr(above[-2], "func") else ""
        if selector.name.endswith(("_total", "_bucket", "_count", "_sum")):
            assert call in GROWTH, selector
        if selector.name.endswith("_bucket") and panel["type"] != "heatmap":
            assert "histogram_quantile" in target["expr"]
    for window in re.findall(r"\b(?:rate|irate)\([^[]*\[([^]]*)]", target["expr"]):
        assert window == "$__rate_interval"


@each_panel
def test_a_heatmap_is_of_buckets(panel: Json) -> None:
    """Grafana draws them only where they come as buckets."""
    is_heatmap = panel["type"] == "heatmap"
    for target in panel["targets"]:
        assert (target["format"] == "heatmap") == is_heatmap
        if is_heatmap:
            assert target["expr"].startswith("sum by (le) (increase(")
            assert target["legendFormat"] == "{{le}}"


@each_panel
def test_a_tables_columns_are_what_its_queries_have(panel: Json) -> None:
    """Every label and value has a title, and none is named that nothing fills."""
    if panel["type"] != "table":
        return
    renamed = panel["transformations"][-1]["options"]["renameByName"]
    filled_in: set[str] = set()
    for target in panel["targets"]:
        filled_in |= labels(promql.parse(filled(target["expr"]))) or frozenset()
        filled_in.add(f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value")
    hidden = set(panel["transformations"][-1]["options"]["excludeByName"])
    assert set(renamed) <= filled_in
    assert filled_in <= set(renamed) | hidden


def test_commands_in_descriptions_exist() -> None:
    """Whoever is told at night to run something can."""
    known = command_names()
    for name, panel in every_panel():
        named = re.findall(r"`spillgate ([a-z]+(?: [a-z]+)?)", panel["description"])
        assert set(named) <= known, name


def test_every_family_is_on_a_dashboard_or_says_why_not() -> None:
    """A metric that nobody looks at is not worth its series: each is shown, or says why not."""
    text = " ".join(target["expr"] for _, _, target in every_target())
    assert {each.name for each in FAMILIES if each.name not in text} == NOT_SHOWN


#: For alerts and for questions that no dashboard asks.
NOT_SHOWN: Final = frozenset(
    {
        "spillgate_background_charges_total",
        "spillgate_client_connections",
        "spillgate_client_connections_refused_total",
        "spillgate_errand_tokens_total",
        "spillgate_leases_total",
        "spillgate_tls_last_reload_successful",
        "spillgate_worker_ends_total",
        "spillgate_worker_silent_total",
    }
)


def _kept(expr: str) -> str:
    """With variables still to be seen, in a form that is PromQL."""
    named = re.sub(r'"\$(\w+)"', r'"@\1"', expr)
    return filled(named)
