"""Stored responses stay where they are: which deployment a tenant's response id belongs to."""

from __future__ import annotations

from app.domain.request import InferenceRequest
from app.domain.tenant import Principal
from app.errors import UnknownPreviousResponse, UnknownResponse
from app.ports import ResponseOwners


class Affinity:
    """Only the deployment that made a response can continue, return, cancel or delete it."""

    def __init__(self, owners: ResponseOwners) -> None:
        """`owners` remembers by tenant, so that no tenant reaches another's responses."""
        self._owners = owners

    async def owner(self, principal: Principal, request: InferenceRequest) -> str | None:
        """The deployment that must serve this request; None where any may.

        Raises UnknownResponse or UnknownPreviousResponse for an id that is not this tenant's.
        """
        stored, previous = request.route.response_id, request.previous_response_id
        response_id = stored or previous
        if response_id is None:
            return None
        owner = await self._owners.owner(principal.tenant.name, response_id)
        if owner is not None:
            return owner
        if stored:
            message = f"Response with id '{stored}' not found."
            raise UnknownResponse(message)
        message = f"Previous response with id '{previous}' not found."
        raise UnknownPreviousResponse(message, param="previous_response_id")

    async def claim(self, principal: Principal, response_id: str | None, deployment: str) -> None:
        """Remember who made a response, before its id reaches the client."""
        if response_id is not None:
            await self._owners.claim(principal.tenant.name, response_id, deployment)
