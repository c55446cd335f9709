"""Who is calling: a gateway key in `api-key`, in `Authorization: Bearer`, or in both."""

from __future__ import annotations

from collections.abc import Mapping

from app.domain.tenant import Principal
from app.errors import InvalidApiKey
from app.ports import KeyDirectory

_BEARER = "bearer "


class Authentication:
    """Identity comes from the key alone."""

    def __init__(self, keys: KeyDirectory) -> None:
        """`keys` answers from memory."""
        self._keys = keys

    def principal(self, headers: Mapping[str, str]) -> Principal:
        """The caller. Raises InvalidApiKey; the refusal never repeats what was sent."""
        key = _presented(headers)
        if not key:
            message = (
                "You didn't provide an API key. Send it in the header 'Authorization: Bearer KEY' "
                "or 'api-key: KEY'."
            )
            raise InvalidApiKey(message)
        principal = self._keys.find(key)
        if principal is None:
            message = "Incorrect API key provided."
            raise InvalidApiKey(message)
        return principal


def _presented(headers: Mapping[str, str]) -> str:
    """The key; AzureOpenAI up to 2.33 sends both headers, and `api-key` is the specific one."""
    key = headers.get("api-key")
    if key:
        return key
    authorization = headers.get("authorization", "")
    bearer = authorization[: len(_BEARER)].lower() == _BEARER
    return authorization[len(_BEARER) :].strip() if bearer else ""
