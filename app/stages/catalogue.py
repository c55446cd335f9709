"""The models that a tenant may use, as OpenAI's models list; answered by the gateway itself."""

from __future__ import annotations

import msgspec

from app.domain.call.request import Operation, Route, shown
from app.domain.identity.tenant import Principal
from app.domain.routing.deployment import Fleet
from app.errors import UnknownModel
from app.ports import Reply

OPERATIONS = frozenset({Operation.LIST_MODELS, Operation.RETRIEVE_MODEL})


class Catalogue:
    """What `GET /models` and `GET /models/{id}` say."""

    def __init__(self, fleet: Fleet, created: int) -> None:
        """`created` is the Unix time given for every model: when this config was loaded."""
        self._fleet = fleet
        self._created = created

    async def answer(self, principal: Principal, route: Route, reply: Reply) -> None:
        """Send the list, or one entry. Raises UnknownModel."""
        body = msgspec.json.encode(self._body(principal, route))
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        await reply.start(200, headers)
        await reply.send(body)
        await reply.finish()

    def _body(self, principal: Principal, route: Route) -> dict[str, object]:
        names = [name for name in self._fleet.models if principal.tenant.may_use(name)]
        if route.operation is Operation.LIST_MODELS:
            return {"object": "list", "data": [self._entry(name) for name in names]}
        if route.model not in names:
            name = shown(route.model or "")
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise UnknownModel(message)
        return self._entry(route.model)

    def _entry(self, name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "spillgate"}
