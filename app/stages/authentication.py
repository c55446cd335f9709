"""Who is calling: a gateway key in `api-key`, in `Authorization: Bearer`, or the same in both.

Where the configuration has a directory, an Entra ID access token does as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.identity.caller_token import looks_like_token
from app.domain.identity.tenant import Principal
from app.errors import InvalidApiKey
from app.ports import CallerTokens, KeyDirectory

_BEARER = "bearer "
_LONG = len(_BEARER)
_KEY_PREFIX = "spg_"


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
        shown, beside = _presented(headers)
        if beside and self._names_somebody(beside):
            raise InvalidApiKey(_TWO_CALLERS)
        if not shown:
            message = (
                "You didn't provide an API key. Send it in the header 'Authorization: Bearer KEY' "
                "or 'api-key: KEY'."
            )
            raise InvalidApiKey(message)
        if self._tokens is not None and looks_like_token(shown):
            found, otherwise = await self._tokens.find(shown), _NOT_ACCEPTED
        else:
            found, otherwise = self._keys.find(shown), "Incorrect API key provided."
        if found is None:
            raise InvalidApiKey(otherwise)
        return found

    def _names_somebody(self, text: str) -> bool:
        """Whether this is, was or could be somebody's credential here, rather than a placeholder.

        A client that puts its key into `api-key` by hand may have to give its SDK another one.
        """
        is_token = self._tokens is not None and looks_like_token(text)
        return is_token or _KEY_PREFIX in text or self._keys.find(text) is not None


_TWO_CALLERS = (
    "The headers 'api-key' and 'Authorization' carry different credentials. Send one of them, or "
    "the same in both."
)
_NOT_ACCEPTED = (
    "The Entra ID token is not accepted: it has expired or is not valid yet, is made out for "
    "another audience, comes from another directory, or belongs to no tenant of this gateway."
)


def _presented(headers: Mapping[str, str]) -> tuple[str, str]:
    """The credential, and what stands in the other header if that is something else.

    AzureOpenAI up to 2.33 sends its key in both; `api-key` is the specific one.
    """
    authorization = headers.get("authorization", "")
    scheme = authorization[:_LONG]
    bearer = scheme == "Bearer " or scheme.lower() == _BEARER
    token = authorization[_LONG:].strip() if bearer else ""
    key = headers.get("api-key")
    if not key:
        return token, ""
    return key, token if token != key else ""
