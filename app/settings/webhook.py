"""Where something is posted to when somebody should know of it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr

from app.settings.section import Secret

_OWN: Final = ("http://127.0.0.1", "http://localhost", "http://[::1]")


def _known_scheme(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("https://", *_OWN)):
        msg = "must begin with https://, or with http:// and this machine's own address"
        raise ValueError(msg)
    return value


#: A URL, which may hold a secret; https, or http on this machine.
WebhookUrl = Annotated[Secret, AfterValidator(_known_scheme)]
