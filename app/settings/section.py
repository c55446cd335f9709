"""What all sections have in common: how a mapping is read, and the types of single values."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

NAME_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"

PARAMETER_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"


def _network(value: str) -> str:
    try:
        ip_network(value, strict=False)
    except ValueError:
        msg = "must be an IP address or network such as 10.0.0.0/8"
        raise ValueError(msg) from None
    return value


def _not_a_boolean(value: object) -> object:
    if isinstance(value, bool):
        msg = "must be a number"
        raise ValueError(msg)  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return value


_Number = BeforeValidator(_not_a_boolean)
Int = Annotated[int, _Number]
Float = Annotated[float, _Number, Field(allow_inf_nan=False)]
Seconds = Annotated[Float, Field(gt=0, le=86_400)]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f]+$")]
Network = Annotated[Text, AfterValidator(_network)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Port = Annotated[Int, Field(ge=0, le=65_535)]


class Section(BaseModel):
    """A mapping of the file: frozen, without unknown keys; a key left empty counts as absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        known = cls.model_fields.keys() | {field.alias for field in cls.model_fields.values()}
        return {key: item for key, item in value.items() if item is not None or key not in known}
