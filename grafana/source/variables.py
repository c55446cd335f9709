"""What a dashboard lets its reader choose; the same choices in the same order on all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grafana_foundation_sdk.builders.dashboard import (
    ConstantVariable,
    DatasourceVariable,
    QueryVariable,
)
from grafana_foundation_sdk.models import dashboard as model

from app.adapters.metrics.families import BUILD_INFO, DEPLOYMENT_INFO, REQUESTS

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
#: Where links to runbooks lead, as the external label `runbooks` of prometheus.yml says it.
RUNBOOKS: Final = "docs/runbooks/"
#: Of the gateway; a choice of a job narrows instances, and both narrow everything else.
_HERE: Final = 'job=~"$job", instance=~"$instance"'

#: Values of each variable. Those of a deployment are of the chosen regions.
_VALUES: Final = {
    "job": f"label_values({BUILD_INFO.name}, job)",
    "instance": f'label_values({BUILD_INFO.name}{{job=~"$job"}}, instance)',
    "model": f"label_values({REQUESTS.name}{{{_HERE}}}, model)",
    "tenant": f"label_values({REQUESTS.name}{{{_HERE}}}, tenant)",
    "region": f"label_values({DEPLOYMENT_INFO.name}{{{_HERE}}}, region)",
    "deployment": (
        f'label_values({DEPLOYMENT_INFO.name}{{{_HERE}, region=~"$region"}}, deployment)'
    ),
}
#: What `All` stands for. Of deployments it is the list, so that a region narrows it; of the other
#: labels of requests it is any value, the empty one included.
_ALL: Final = {"job": ".+", "instance": ".+", "deployment": ""}


def variables(names: Iterable[str]) -> list[model.VariableModel]:
    """The data source, job and instance, the given ones, and where runbooks are."""
    choices = (_choice(name) for name in ("job", "instance", *names))
    return [_source(), *choices, _runbooks()]


def _source() -> model.VariableModel:
    built = DatasourceVariable("datasource").label("Data source").type("prometheus")
    return built.current(model.VariableOption(text="Prometheus", value="prometheus")).build()


def _runbooks() -> model.VariableModel:
    return ConstantVariable("runbooks").label("Runbooks").value(RUNBOOKS).build()


def _choice(name: str) -> model.VariableModel:
    return (
        QueryVariable(name)
        .label(name.capitalize())
        .query({"query": _VALUES[name], "refId": name})
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(_ALL.get(name, ".*"))
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
        .build()
    )
