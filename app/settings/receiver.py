"""Where OpenTelemetry is sent to: addresses of receivers, and what goes with them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

from app.settings.section import Text


def _receiver(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # whose words quote what stands before a slash in a password
        msg = "is not a URL: the host or the port is malformed"
        raise ValueError(msg) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        msg = "must be a URL such as http://collector:4318"
        raise ValueError(msg)
    if parts.username is not None or parts.query or parts.fragment:
        msg = "must hold no user, query or fragment; credentials belong into headers"
        raise ValueError(msg)
    return value


#: The URL of an OTLP receiver, with or without the path that belongs to it.
ReceiverUrl = Annotated[Text, AfterValidator(_receiver)]
#: In lower case.
HeaderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,128}$")]


def is_installed(*packages: str) -> bool:
    """Whether all could be imported, an extra's for instance; their parents may be missing, too."""
    try:
        return all(find_spec(package) is not None for package in packages)
    except ModuleNotFoundError:
        return False
