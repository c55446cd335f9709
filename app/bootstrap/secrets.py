"""Every secret that a configuration holds, so that none is written where others read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

#: A part of a secret that is no name of a value; shorter ones are words: `redis`, `services`.
_PART: Final = re.compile(r"[^\s/?&=;:@,]{16,}+(?!=)")


def secrets_in(value: object) -> Iterator[str]:
    """The values of all SecretStr within, and what is secret in them by itself.

    They are found by their type: a section that is added later is searched as it is.
    """
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        yield secret
        yield from _within(secret)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from secrets_in(each)


def _within(secret: str) -> Iterator[str]:
    """A URL's password and parts of its path, a header's token, values of a connection string.

    The host of a URL is no secret: without it nobody knows what is out of reach.
    """
    host, password = _host_and_password(secret)
    if password:
        yield password
    for part in _PART.findall(secret):
        if part not in {host, secret, password}:
            yield part


def _host_and_password(secret: str) -> tuple[str, str]:
    try:
        parts = urlsplit(secret if "://" in secret else "")
        return parts.hostname or "", parts.password or ""
    except ValueError:  # no URL after all
        return "", ""
