"""Panels as Grafana's own: how each kind is drawn."""

from __future__ import annotations

from functools import singledispatch
from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from grafana.source.panel import PLAIN, Bars, Column, Graph, Heatmap, Panel, Stat, Steps, Table

#: Lines thin enough to tell apart, areas faint enough to see through.
_LINE_WIDTH: Final = 1
_FILL: Final = 10
_STACKED_FILL: Final = 40


@singledispatch
def drawn(panel: Panel) -> model.Panel:
    """The panel with what is particular to its kind; what all have is added by the board."""
    raise NotImplementedError(type(panel).__name__)


@drawn.register
def _(panel: Stat) -> model.Panel:
    is_total = any("$__range" in each.expr for each in panel.queries)
    curve = options.BigValueGraphMode.NONE if is_total or panel.names else _AREA
    built = (
        stat.Panel()
        .graph_mode(curve)
        .color_mode(options.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(panel.steps))
        .color_scheme(FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    )
    if panel.names:
        built.mappings([_names(panel.names)])
    return built.build()


@drawn.register
def _(panel: Graph) -> model.Panel:
    mode = options.StackingMode.NORMAL if panel.stacked else options.StackingMode.NONE
    built = (
        timeseries.Panel()
        .legend(_legend())
        .tooltip(_tooltip())
        .line_width(_LINE_WIDTH)
        .fill_opacity(_STACKED_FILL if panel.stacked else _FILL)
        .show_points(options.VisibilityMode.AUTO)
        .stacking(common.StackingConfig().mode(mode).group("A"))
        .thresholds(_thresholds(panel.steps or PLAIN))
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(_threshold_lines(panel)))
        .color_scheme(FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    )
    _axis(built, panel)
    _series_styles(built, panel)
    return built.build()


@drawn.register
def _(panel: Heatmap) -> model.Panel:
    color = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges")
    return (
        heatmap.Panel()
        .calculate(calculate=False)
        .color(color.steps(64).exponent(0.5))
        .y_axis(heatmap.YAxisConfig().unit(panel.unit))
        .cell_gap(1)
        .show_legend()
        .exemplars_color("rgba(255,0,255,0.7)")
        .build()
    )


@drawn.register
def _(panel: Bars) -> model.Panel:
    built = (
        bargauge.Panel()
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .orientation(options.VizOrientation.HORIZONTAL)
        .value_mode(options.BarGaugeValueMode.COLOR)
        .show_unfilled(show_unfilled=True)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(panel.steps))
        .color_scheme(FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .min(0)
    )
    return (built if panel.most is None else built.max(panel.most)).build()


@drawn.register
def _(panel: Table) -> model.Panel:
    built = (
        table.Panel()
        .show_header(show_header=True)
        .cell_height(options.TableCellHeight.SM)
        .transformations(_joined(panel))
        .thresholds(_thresholds(PLAIN))
    )
    for column in panel.columns:
        built.override_by_name(column.title, _column(column))
    if panel.sort:
        built.sort_by([common.TableSortByFieldState().display_name(panel.sort).desc(desc=True)])
    return built.build()


_AREA: Final = options.BigValueGraphMode.AREA


def _axis(built: timeseries.Panel, panel: Graph) -> None:
    if panel.least is not None:
        built.axis_soft_min(panel.least)
    if panel.most is not None:
        built.axis_soft_max(panel.most)
    if panel.logarithmic:
        scale = common.ScaleDistributionConfig().type(options.ScaleDistribution.LOG).log(10)
        built.scale_distribution(scale)


def _series_styles(built: timeseries.Panel, panel: Graph) -> None:
    for name, color in panel.colors:
        fixed = {"mode": "fixed", "fixedColor": color}
        built.override_by_name(name, [model.DynamicConfigValue("color", fixed)])
    if panel.dashed:
        built.override_by_regexp(
            panel.dashed,
            [
                model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [6, 4]}),
                model.DynamicConfigValue("custom.fillOpacity", 0),
                model.DynamicConfigValue("custom.stacking", {"mode": "none"}),
            ],
        )


def _threshold_lines(panel: Graph) -> options.GraphThresholdsStyleMode:
    modes = options.GraphThresholdsStyleMode
    return modes.DASHED if panel.steps else modes.OFF


def _thresholds(steps: Steps) -> ThresholdsConfig:
    config = ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    return config.steps([model.Threshold(value, color) for value, color in steps])


def _names(names: tuple[tuple[str, str, str], ...]) -> model.ValueMap:
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=color, index=index)
            for index, (value, text, color) in enumerate(names)
        }
    )


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .display_mode(options.LegendDisplayMode.LIST)
        .placement(options.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
    )


def _tooltip() -> common.VizTooltipOptions:
    tooltip = common.VizTooltipOptions().mode(options.TooltipDisplayMode.MULTI)
    return tooltip.sort(options.SortOrder.DESCENDING)


def _joined(panel: Table) -> list[model.DataTransformerConfig]:
    """Rows with the same labels become one; columns in the order and by the names given."""
    titles = {each.source: each.title for each in panel.columns}
    order = {each.source: place for place, each in enumerate(panel.columns)}
    values = {f"Value #{ref_id}" for ref_id in ascii_uppercase[: len(panel.queries)]}
    hidden = dict.fromkeys(("Time", *sorted(values - set(titles))), True)
    organized = {"excludeByName": hidden, "renameByName": titles, "indexByName": order}
    steps = [model.DataTransformerConfig(id_val="organize", options=organized)]
    if len(panel.queries) > 1:
        steps.insert(0, model.DataTransformerConfig(id_val="merge", options={}))
    return steps


def _column(column: Column) -> list[model.DynamicConfigValue]:
    values: dict[str, object] = {}
    if column.unit:
        values["unit"] = column.unit
    if column.decimals is not None:
        values["decimals"] = column.decimals
    if column.steps:
        values["thresholds"] = _thresholds(column.steps).build()
        values["custom.cellOptions"] = {"type": "color-text"}
    if column.gauge:
        values |= {"min": 0, "max": 1, "color": {"mode": "thresholds"}}
        values["custom.cellOptions"] = {"type": "gauge", "mode": "basic"}
    return [model.DynamicConfigValue(name, value) for name, value in values.items()]
