"""The section about what opens sealed secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from app.settings.sealed import MasterKey, SealError
from app.settings.section import Secret, Section


def _master_key(value: SecretStr) -> SecretStr:
    try:
        MasterKey.parse(value.get_secret_value())
    except SealError as error:
        raise ValueError(str(error)) from None
    return value


class Secrets(Section):
    """Keys that open `sealed:` values, from the environment or from files."""

    master_keys: Annotated[
        tuple[Annotated[Secret, AfterValidator(_master_key)], ...], Field(max_length=10)
    ] = ()
    """The newest first, which seals; older ones open until `spillgate secret rotate` was run."""
