"""An upstream's refusal without the credential that it was sent.

Some servers repeat it: a wrong key in the words of a 401, all headers of a request in those of a
500. A refusal is passed on, and what it says is logged and explained.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from app.ports import UpstreamResponse

#: Shorter ones are within words, and keep nobody out.
SHORTEST: Final = 8


class Unechoed:
    """An UpstreamResponse; stars stand for the credential, so that its length is as it was."""

    def __init__(self, response: UpstreamResponse, credential: str) -> None:
        """`credential` is the header's value; a scheme before it is none of the secret."""
        self._response = response
        self._secret = credential.rpartition(" ")[2].encode("latin-1")
        self._mask = b"*" * len(self._secret)
        self._held = b""
        self.status: Final = response.status

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in lower case, of what `read` gives."""
        secret, mask = self._secret.decode("latin-1"), self._mask.decode()
        return {name: value.replace(secret, mask) for name, value in self._response.headers.items()}

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

    def close(self) -> None:
        """Let go of the connection."""
        self._response.close()


def unechoed(response: UpstreamResponse, credential: str) -> UpstreamResponse:
    """The response, its credential taken out where it is a refusal: an answer is as it came."""
    is_refusal = response.status >= HTTPStatus.MULTIPLE_CHOICES
    is_secret = len(credential.rpartition(" ")[2]) >= SHORTEST
    return Unechoed(response, credential) if is_refusal and is_secret else response


def _begun(data: bytes, secret: bytes) -> int:
    """How many bytes at the end of the data are the beginning of the secret, not all of it."""
    for count in range(min(len(data), len(secret) - 1), 0, -1):
        if secret.startswith(data[-count:]):
            return count
    return 0
