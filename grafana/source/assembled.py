"""A board as Grafana's dashboard: variables, links, and panels at their places."""

from __future__ import annotations

import json
from collections.abc import Iterator
from string import ascii_uppercase
from typing import Final
from urllib.parse import quote

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus

from grafana.source.drawn import drawn
from grafana.source.panel import Bars, Board, Graph, Heatmap, Panel, Stat, Table
from grafana.source.query import Query
from grafana.source.variables import SOURCE, variables

TAG: Final = "spillgate"
GRID_WIDTH: Final = 24
#: The uid of the data source for traces, as provisioned.
TRACES: Final = "traces"
#: Grafana's own annotations: whoever wants to mark a deployment finds them.
_ANNOTATIONS: Final = {
    "list": [
        {
            "builtIn": 1,
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": True,
            "hide": True,
            "iconColor": "rgba(0, 211, 255, 1)",
            "name": "Annotations & Alerts",
            "type": "dashboard",
        }
    ]
}


def as_json(board: Board) -> str:
    """The file that Grafana is given; the same board gives the same bytes."""
    text = json.dumps(assembled(board), cls=JSONEncoder, indent=2, sort_keys=True)
    return f"{text}\n"


def assembled(board: Board) -> model.Dashboard:
    """The dashboard, read-only: it is changed here and not in the browser."""
    return model.Dashboard(
        uid=board.uid,
        title=board.title,
        description=board.question,
        tags=[TAG],
        timezone="browser",
        editable=False,
        graph_tooltip=model.DashboardCursorSync.CROSSHAIR,
        time=model.DashboardDashboardTime(from_val=board.since, to="now"),
        refresh="30s",
        templating=model.DashboardDashboardTemplating(list_val=variables(board.variables)),
        annotations=model.AnnotationContainer.from_json(_ANNOTATIONS),
        links=[_others()],
        panels=list(_placed(board)),
    )


def _others() -> model.DashboardLink:
    """Links to the other dashboards, with the same time and the same choices."""
    return model.DashboardLink(
        title="Spillgate",
        type_val=model.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tags=[TAG],
        include_vars=True,
        keep_time=True,
    )


def _placed(board: Board) -> Iterator[model.Panel | model.RowPanel]:
    """Rows one below the other; within one from left to right, and on below what is full."""
    number, top = 1, 0
    for row in board.rows:
        place = model.GridPos(x=0, y=top, w=GRID_WIDTH, h=1)
        yield model.RowPanel(title=row.title, id_val=number, grid_pos=place, collapsed=False)
        number, top, left, height = number + 1, top + 1, 0, 0
        for panel in row.panels:
            if left + panel.width > GRID_WIDTH:
                top, left, height = top + height, 0, 0
            yield _placed_panel(panel, number, model.GridPos(panel.height, panel.width, left, top))
            number, left, height = number + 1, left + panel.width, max(height, panel.height)
        top += height


def _placed_panel(panel: Panel, number: int, place: model.GridPos) -> model.Panel:
    made = drawn(panel)
    made.id_val, made.grid_pos = number, place
    made.title, made.description = panel.title, panel.description
    made.datasource = SOURCE
    made.targets = [
        _target(panel, query, ascii_uppercase[place]) for place, query in enumerate(panel.queries)
    ]
    made.links = [_runbook(panel.runbook)] if panel.runbook else None
    made.field_config = made.field_config or model.FieldConfigSource()
    defaults = made.field_config.defaults
    defaults.unit, defaults.decimals = panel.unit, panel.decimals
    defaults.links = [_traces()] if isinstance(panel, Graph | Heatmap) and panel.traces else None
    return made


def _target(panel: Panel, query: Query, ref_id: str) -> prometheus.Dataquery:
    now = isinstance(panel, Bars | Table) or (isinstance(panel, Stat) and "$__range" in query.expr)
    return prometheus.Dataquery(
        ref_id=ref_id,
        datasource=SOURCE,
        editor_mode=prometheus.QueryEditorMode.CODE,
        expr=query.expr,
        legend_format=query.legend,
        instant=now,
        range_val=not now,
        exemplar=query.exemplars,
        format_val=_format(panel),
    )


def _format(panel: Panel) -> prometheus.PromQueryFormat:
    formats = prometheus.PromQueryFormat
    if isinstance(panel, Table):
        return formats.TABLE
    return formats.HEATMAP if isinstance(panel, Heatmap) else formats.TIME_SERIES


def _runbook(place: str) -> model.DashboardLink:
    page, _, alert = place.partition("#")
    url = f"${{runbooks}}{page}.md#{alert}"
    return model.DashboardLink(title="Runbook", url=url, icon="doc", target_blank=True)


def _traces() -> model.DashboardLink:
    """Explore, with the slow requests of the time that is looked at."""
    query = {
        "refId": "A",
        "queryType": "traceql",
        "query": '{resource.service.name="spillgate" && duration>1s}',
    }
    pane = {"datasource": TRACES, "queries": [query], "range": {"from": "FROM", "to": "TO"}}
    panes = quote(json.dumps({"spillgate": pane}, separators=(",", ":")))
    url = f"/explore?schemaVersion=1&panes={panes}"
    return model.DashboardLink(
        title="Traces of slow requests",
        url=url.replace("FROM", "${__from}").replace("TO", "${__to}"),
        target_blank=True,
    )
