"""The dashboards that are checked in are those that the source makes."""

from __future__ import annotations

import yaml

from grafana.source.__main__ import DASHBOARDS, generated
from tests.grafana.boards import ROOT, board

PROVISIONING = ROOT / "grafana" / "provisioning"


def test_dashboards_are_as_generated() -> None:
    """Nobody edited the JSON, and nobody forgot `make dashboards`."""
    assert {path: path.read_text("utf-8") for path in DASHBOARDS.iterdir()} == generated()


def test_generating_is_repeatable() -> None:
    """The same source gives the same bytes, so that a difference is a change."""
    assert generated() == generated()


def test_data_sources_are_those_that_dashboards_name() -> None:
    """Exemplars lead to the data source for traces, and panels' links do."""
    read = yaml.safe_load((PROVISIONING / "datasources" / "spillgate.yaml").read_text())
    sources = {each["uid"]: each for each in read["datasources"]}
    assert set(sources) == {"prometheus", "traces"}
    (destination,) = sources["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert destination == {"name": "trace_id", "datasourceUid": "traces"}
    for path in DASHBOARDS.iterdir():
        (chosen,) = [v for v in board(path)["templating"]["list"] if v["type"] == "datasource"]
        assert chosen["current"]["value"] in sources


def test_provisioned_dashboards_are_read_only() -> None:
    """What is changed in a browser would be lost at the next start."""
    read = yaml.safe_load((PROVISIONING / "dashboards" / "spillgate.yaml").read_text())
    (provider,) = read["providers"]
    assert provider["type"] == "file"
    assert provider["folder"] == "Spillgate"
    assert provider["allowUiUpdates"] is False
    assert provider["disableDeletion"] is True
