"""Who is calling: a gateway key in `api-key`, in `Authorization: Bearer`, or in both.

Where the configuration has a directory, an Entra ID access token does as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.caller_token import looks_like_token
from app.domain.tenant import Principal
from app.errors import InvalidApiKey
from app.ports import CallerTokens, KeyDirectory

_BEARER = "bearer "


class Authentication:
    """Identity comes from the key or the token alone."""

    def __init__(self, keys: KeyDirectory, tokens: CallerTokens | None = None) -> None:
        """`keys` answers from memory; without `tokens` a token is a key that nobody has."""
        self._keys = keys
        self._tokens = tokens

    async def principal(self, headers: Mapping[str, str]) -> Principal:
        """The caller. A key is never waited for.

        Raises InvalidApiKey, which never repeats what was sent, and StoreUnavailable where a
        token's signing key is out of reach.
        """
        shown = _presented(headers)
        if not shown:
            message = (
                "You didn't provide an API key. Send it in the header 'Authorization: Bearer KEY' "
                "or 'api-key: KEY'."
            )
            raise InvalidApiKey(message)
        if self._tokens is not None and looks_like_token(shown):
            return _known(await self._tokens.find(shown), _NOT_ACCEPTED)
        return _known(self._keys.find(shown), "Incorrect API key provided.")


_NOT_ACCEPTED = (
    "The Entra ID token is not accepted: it has expired or is not valid yet, is made out for "
    "another audience, comes from another directory, or belongs to no tenant of this gateway."
)


def _known(principal: Principal | None, otherwise: str) -> Principal:
    if principal is None:
        raise InvalidApiKey(otherwise)
    return principal


def _presented(headers: Mapping[str, str]) -> str:
    """The key; AzureOpenAI up to 2.33 sends both headers, and `api-key` is the specific one."""
    key = headers.get("api-key")
    if key:
        return key
    authorization = headers.get("authorization", "")
    bearer = authorization[: len(_BEARER)].lower() == _BEARER
    return authorization[len(_BEARER) :].strip() if bearer else ""
