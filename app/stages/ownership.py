"""What is stored belongs to a tenant, and stays where it is: whose it is and which deployment's."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

from app.answer import Answer
from app.domain.call.request import InferenceRequest, Operation
from app.domain.identity.tenant import Principal
from app.errors import UnknownPreviousResponse, UnknownResponse
from app.ports import ResponseOwners
from app.wire.stored import made_by_body, made_by_frames

_TELLING = frozenset({Operation.RESPONSES, Operation.RETRIEVE_RESPONSE})
_OF_RESPONSES = _TELLING | {Operation.DELETE_RESPONSE}


class Ownership:
    """Only the deployment that made a response can continue, return, cancel or delete it.

    No tenant reaches what another's responses have made: neither they nor their items.
    """

    def __init__(self, owners: ResponseOwners) -> None:
        """`owners` remembers by tenant."""
        self._owners = owners

    async def owner(self, principal: Principal, request: InferenceRequest) -> str | None:
        """The deployment that must serve this request; None where any may.

        Raises UnknownResponse or UnknownPreviousResponse for an id that is not this tenant's.
        """
        if request.references:
            await self._refuse_foreign(principal, request.references)
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

    async def claim(self, principal: Principal, answer: Answer) -> None:
        """Remember who made a response and its items, before their ids reach the client.

        One that was deleted has no owner any more: it is not asked for again.

        Of a stream, the items are known with its last event. Of an answer that is too large to be
        read whole, only the response itself is remembered.
        """
        operation, status = answer.request.route.operation, answer.status
        if operation not in _OF_RESPONSES and answer.response_id is None:
            return
        if operation is Operation.DELETE_RESPONSE and status < HTTPStatus.MULTIPLE_CHOICES:
            deleted = answer.request.route.response_id or ""
            await self._owners.forget(principal.tenant.name, deleted)
        if answer.response_id is not None:
            await self._claim(principal, answer, (answer.response_id,))
        if operation not in _TELLING or status >= HTTPStatus.MULTIPLE_CHOICES:
            return
        # What can be retrieved is stored; otherwise the request decided.
        stored = answer.request.stores or operation is Operation.RETRIEVE_RESPONSE
        if answer.rest is None:
            await self._claim(principal, answer, made_by_body(answer.head, stored=stored))
        elif answer.is_stream:

            async def ending(frames: bytes) -> None:
                await self._claim(principal, answer, made_by_frames(frames, stored=stored))

            answer.ending = ending

    async def _claim(self, principal: Principal, answer: Answer, ids: Iterable[str]) -> None:
        tenant, deployment = principal.tenant.name, answer.deployment.name
        await asyncio.gather(*(self._owners.claim(tenant, each, deployment) for each in ids))

    async def _refuse_foreign(self, principal: Principal, ids: tuple[str, ...]) -> None:
        """As OpenAI refuses what it does not have, and in the same words for what is another's."""
        tenant = principal.tenant.name
        owners = await asyncio.gather(*(self._owners.owner(tenant, each) for each in ids))
        for each, owner in zip(ids, owners, strict=True):
            if owner is None:
                message = f"Item with id '{each}' not found."
                raise UnknownResponse(message, param="input")
