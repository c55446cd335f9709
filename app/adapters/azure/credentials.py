"""What the gateway shows a deployment to be let in."""

from __future__ import annotations

from typing import Protocol

from app.domain.routing.deployment import Api


class Credential(Protocol):
    """The credential of one or more deployments."""

    async def header(self) -> tuple[str, str]:
        """Name, in lower case, and value of the header. Raises UpstreamMisconfigured."""
        ...

    async def refresh(self, rejected: str) -> bool:
        """Replace the value that was rejected; whether there is another one to try."""
        ...


class ApiKeyCredential:
    """A key that stays as configured; `fixed` is its header, which nobody need wait for."""

    def __init__(self, key: str, api: Api) -> None:
        """Azure takes a key as `api-key` on both of its URL shapes, other servers as a bearer."""
        bearer = api is Api.OPENAI
        self.fixed = ("authorization", f"Bearer {key}") if bearer else ("api-key", key)

    async def header(self) -> tuple[str, str]:
        """Name and value of the header."""
        return self.fixed

    async def refresh(self, rejected: str) -> bool:  # noqa: ARG002  # the port's signature
        """There is no other key."""
        return False
