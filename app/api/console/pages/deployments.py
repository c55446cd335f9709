"""Deployments: how they are, drained, enabled, weighted."""

from __future__ import annotations

from starlette.responses import Response

from app.api.admin.deployments_routes import DeploymentChange
from app.api.admin.roles import Action
from app.api.console.frame import Console
from app.api.console.visit import Visit, in_force, segment, version_in

_WEIGHT = "weight."


def add_deployment_pages(console: Console) -> None:
    """Register them."""

    @console.page("/deployments", Action.READ_DEPLOYMENTS)
    async def deployments(visit: Visit) -> Response:
        found = await visit.api("list_deployments")
        window = await visit.frame.history.window()
        spent = window.now.by("llm_deployment_cost_dollars_total", "deployment")
        return visit.show(
            "deployments.html", title="Deployments", deployments=found.data, spent=spent
        )

    @console.page("/deployments/{deployment}", Action.READ_DEPLOYMENTS)
    async def deployment(visit: Visit) -> Response:
        found = await visit.api("read_deployment", deployment=visit.path("deployment"))
        return visit.show("deployment.html", title=found.data.name, each=found.data)

    @console.act("/deployments/{deployment}", Action.WRITE_DEPLOYMENTS)
    async def change_deployment(visit: Visit) -> Response:
        name, form = visit.path("deployment"), visit.form
        given: dict[str, object] = {"state": form["state"]} if "state" in form else {}
        weights = {
            model: form[_WEIGHT + model] or None
            for model in form.all("model")
            if _WEIGHT + model in form
        }
        body = visit.valid(DeploymentChange, given | ({"weights": weights} if weights else {}))
        changed = await visit.api(
            "change_deployment", deployment=name, body=body, version=version_in(form)
        )
        return visit.go(f"/deployments/{segment(name)}", f"It is changed. {in_force(changed)}")
