"""Where something is posted to when somebody should know of it."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from app.settings.section import Secret

_OWN: Final = frozenset({"127.0.0.1", "localhost", "::1"})


def _known_scheme(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        host, _ = parts.hostname, parts.port
    except ValueError:  # whose words quote what stands before a slash in a password
        msg = "is not a URL: the host or the port is malformed"
        raise ValueError(msg) from None
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _OWN)):
        msg = "must begin with https://, or with http:// and this machine's own address"
        raise ValueError(msg)
    return value


#: A URL, which may hold a secret; https, or http on this machine.
WebhookUrl = Annotated[Secret, AfterValidator(_known_scheme)]
