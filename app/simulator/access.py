"""Who may call a deployment, and under which name and version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from app.simulator import refusal
from app.simulator.call import Incoming
from app.simulator.deployment import SimulatedDeployment
from app.simulator.routing import Target

_API_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_V1_VERSIONS: Final = {None, "v1", "preview", "latest"}
# What Azure calls the operations in the error about a model that cannot do them.
_GENERATING: Final = {
    "chat/completions": "chatCompletion",
    "completions": "completion",
    "responses": "responses",
}


def check_access(incoming: Incoming, deployment: SimulatedDeployment, target: Target) -> None:
    """Look at what precedes the body: method, version, key, and the URL's deployment.

    Raises:
        Refusal: 400, 401, 404 or 405, as the service says it.
    """
    if target.operation is None:
        raise _unknown(incoming, deployment, target)
    version = incoming.query.get("api-version")
    if target.surface == "classic" and not _API_VERSION.fullmatch(version or ""):
        raise refusal.resource_not_found()
    if not has_key(incoming.headers, deployment):
        raise refusal.bad_key(on_azure=deployment.on_azure)
    if target.surface == "v1" and version not in _V1_VERSIONS:
        raise refusal.dated_version_on_v1()
    if target.deployment not in {None, deployment.deployment}:
        raise refusal.deployment_not_found(surface=target.surface)


def check_model(body: Mapping[str, Any], deployment: SimulatedDeployment, target: Target) -> None:
    """Look at the body's model, where the URL names none, and at what the model can do.

    Raises:
        Refusal: 400 or 404.
    """
    if target.deployment is None:
        _check_named(body.get("model"), deployment, target)
    operation = target.operation or ""
    if deployment.embeds and operation in _GENERATING:
        raise refusal.not_supported(_GENERATING[operation], deployment.model)
    if not deployment.embeds and operation == "embeddings":
        raise refusal.not_supported("embeddings", deployment.model)


def has_key(headers: Mapping[str, str], deployment: SimulatedDeployment) -> bool:
    """Whether the key is the deployment's; on Azure any token of Entra's shape will do, too."""
    if deployment.api_key is None:
        return True
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    bearer = bearer.strip() if scheme.lower() == "bearer" else ""
    if not deployment.on_azure:
        return bearer == deployment.api_key
    if "api-key" in headers:
        return headers["api-key"] == deployment.api_key
    return bearer == deployment.api_key or is_token(bearer)


def is_token(bearer: str) -> bool:
    """Whether this looks like a JWT: three parts, the first a JSON object in base64."""
    return bearer.startswith("eyJ") and bearer.count(".") == 2  # noqa: PLR2004 - three parts


def _check_named(name: object, deployment: SimulatedDeployment, target: Target) -> None:
    if name is None:
        raise refusal.missing("model")
    if name != deployment.deployment:
        if target.surface == "openai":
            raise refusal.model_not_found(str(name))
        raise refusal.deployment_not_found(surface=target.surface)


def _unknown(
    incoming: Incoming, deployment: SimulatedDeployment, target: Target
) -> refusal.Refusal:
    if deployment.on_azure:
        return refusal.resource_not_found()
    if target.path_exists:
        return refusal.method_not_allowed(incoming.method, incoming.path)
    return refusal.invalid_url(incoming.method, incoming.path)
