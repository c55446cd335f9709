"""The list of models, which on Azure tells base models and what they can do."""

from __future__ import annotations

from typing import Any, Final

from app.simulator import refusal
from app.simulator.call import Call
from app.simulator.deployment import SimulatedDeployment
from app.simulator.reply import Reply

Json = dict[str, Any]

_CREATED: Final = 1_715_212_800


async def list_models(call: Call, reply: Reply) -> None:
    deployment = call.site.deployment
    names = dict.fromkeys((deployment.model, deployment.deployment))
    data = [_model(name, deployment) for name in names]
    await call.answer(reply, {"object": "list", "data": data}, headers={})


async def get_model(call: Call, reply: Reply) -> None:
    """One model, by the base model's name or the deployment's.

    Raises:
        Refusal: 404, there is no such model.
    """
    deployment = call.site.deployment
    name = call.target.item or ""
    if name not in {deployment.model, deployment.deployment}:
        raise refusal.model_not_found(name)
    await call.answer(reply, _model(name, deployment), headers={})


def _model(name: str, deployment: SimulatedDeployment) -> Json:
    model: Json = {"id": name, "object": "model", "created": _CREATED, "owned_by": "system"}
    if deployment.on_azure:
        model |= {
            "status": "succeeded",
            "created_at": _CREATED,
            "updated_at": _CREATED,
            "lifecycle_status": "generally-available",
            "capabilities": {
                "fine_tune": False,
                "inference": True,
                "completion": not deployment.embeds,
                "chat_completion": not deployment.embeds,
                "embeddings": deployment.embeds,
            },
        }
    return model
