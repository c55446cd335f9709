"""An upstream's answer without the credential that it was sent.

Some servers repeat it: a wrong key in the words of a 401, all headers of a request in those of a
500, the key itself for a request's id. A refusal is passed on, and what it says is logged and
explained. The body of an answer is its caller's, byte for byte; its headers are recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.adapters.upstream.read_by_read import ReadByRead
from app.domain.routing.attempt import FIRST_REFUSAL
from app.ports import UpstreamResponse

#: Shorter ones are within words, and keep nobody out.
SHORTEST: Final = 8


class UnechoedHead(ReadByRead):
    """An UpstreamResponse in whose headers stars stand for the credential, as many as it has."""

    def __init__(self, response: UpstreamResponse, secret: str) -> None:
        """`secret` is the credential without a scheme."""
        self._response = response
        self.status: Final = response.status
        mask = "*" * len(secret)
        #: Names in lower case.
        self.headers: Final[Mapping[str, str]] = {
            name: value.replace(secret, mask) for name, value in response.headers.items()
        }

    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body, as they came; raises what the response's own raises."""
        return await self._response.read(patience_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()


class Unechoed(UnechoedHead):
    """The same with its body, whose length is as it was."""

    def __init__(self, response: UpstreamResponse, secret: str) -> None:
        """`secret` is the credential without a scheme."""
        super().__init__(response, secret)
        self._secret = secret.encode("latin-1")
        self._mask = b"*" * len(self._secret)
        self._held = b""

    async def read(self, patience_s: float) -> bytes:
        """The next bytes of the body; empty at its end. Raises what the response's own raises.

        What may be the beginning of the credential is held back until more is there.
        """
        while True:
            data = await self._response.read(patience_s)
            found = (self._held + data).replace(self._secret, self._mask)
            if not data:
                self._held = b""
                return found
            begun = _begun(found, self._secret)
            self._held = found[len(found) - begun :]
            if len(found) > begun:
                return found[: len(found) - begun]


def unechoed(response: UpstreamResponse, credential: str) -> UpstreamResponse:
    """The response without its credential: of a refusal all of it, of an answer the headers.

    `credential` is the header's value; a scheme before it is none of the secret. An answer that
    does not repeat it, as none should, is the response itself, after a third of a microsecond.
    """
    secret = credential.rpartition(" ")[2]
    if len(secret) < SHORTEST:
        return response
    if response.status >= FIRST_REFUSAL:
        return Unechoed(response, secret)
    echoes = secret in "\n".join(response.headers.values())  # and no secret has a line's end
    return UnechoedHead(response, secret) if echoes else response


def _begun(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of the data are the beginning of the secret, not all of it."""
    for count in range(min(len(data), len(secret) - 1), 0, -1):
        if secret.startswith(data[-count:]):
            return count
    return 0
