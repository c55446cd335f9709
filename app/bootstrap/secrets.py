"""Every secret that a configuration holds, so that none is written where others read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr


def secrets_in(value: object) -> Iterator[str]:
    """The values of all SecretStr within; of those that are URLs the password, too.

    They are found by their type: a section that is added later is searched as it is.
    """
    if isinstance(value, SecretStr):
        secret = value.get_secret_value()
        yield secret
        yield from _password(secret)
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from secrets_in(each)
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from secrets_in(each)


def _password(secret: str) -> Iterator[str]:
    if "://" in secret:
        try:
            password = urlsplit(secret).password
        except ValueError:  # no URL after all
            return
        if password:
            yield password
