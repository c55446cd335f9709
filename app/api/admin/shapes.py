"""What all resources of the admin API have in common: their bodies, names, tags, and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from app.domain.identity.directory import InForce
from app.settings.callers import NO_GUID, guid_of
from app.settings.section import Float, Name, Text
from app.settings.tag_format import MAX_TAGS, name_fault, value_fault

T = TypeVar("T")

#: The end of the year 9999, the last that times can be shown of; Unix seconds.
LAST_MOMENT: Final = 253_402_300_799.0

_PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"


def _tag_name(name: str) -> str:
    if fault := name_fault(name):
        raise PydanticCustomError("tag", fault)
    return name


def _tag_value(value: str) -> str:
    if fault := value_fault(value):
        raise PydanticCustomError("tag", fault)
    return value


def _moment(value: object) -> object:
    """A time with its zone as Unix seconds; numbers, also as text, are left to pydantic."""
    if not isinstance(value, str) or "-" not in value[1:]:
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    if moment.tzinfo is None:
        raise PydanticCustomError("moment", "must name its zone, such as 2026-11-01T09:00Z")
    return moment.timestamp()


def distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    """A validator: each once."""
    if len(set(names)) != len(names):
        raise PydanticCustomError("repeated", "must name each once")
    return names


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise PydanticCustomError("zone", "is no IANA time zone such as Europe/Berlin")
    return name


def _guid(text: str) -> str:
    guid = guid_of(text)
    if guid is None:
        raise PydanticCustomError("guid", NO_GUID)
    return guid


#: Unix seconds, or ISO 8601 with a zone.
Moment = Annotated[Float, BeforeValidator(_moment), Field(ge=0, le=LAST_MOMENT)]
Models = Annotated[tuple[Name, ...], Field(max_length=1000), AfterValidator(distinct)]
Tags = Annotated[
    dict[Annotated[str, AfterValidator(_tag_name)], Annotated[str, AfterValidator(_tag_value)]],
    Field(max_length=MAX_TAGS, description="names of a-z, 0-9, '_', '.', '-'; up to 64 characters"),
]
Guids = Annotated[tuple[Annotated[str, AfterValidator(_guid)], ...], Field(max_length=1000)]
Zone = Annotated[Text, AfterValidator(_known_zone)]
Label = Annotated[str, StringConstraints(max_length=128, pattern=_PRINTABLE)]


class Body(BaseModel):
    """What a caller sends: no unknown fields, and nothing of it repeated in an error."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """The fields that were sent, as values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class InForceView(BaseModel):
    """Where a change is in force."""

    version: int = Field(description="of the directory, with this change")
    workers: int = Field(description="on which it is in force")
    live: int = Field(description="workers that are live; the others follow within a second")

    @classmethod
    def of(cls, in_force: InForce) -> InForceView:
        """As it is shown."""
        return cls(version=in_force.version, workers=in_force.workers, live=in_force.live)


class Item(BaseModel, Generic[T]):
    """One thing."""

    data: T


class Page(BaseModel, Generic[T]):
    """A part of a list; `next` is what asks for the part after it, null at the end."""

    data: list[T]
    next: str | None = None


class Changed(BaseModel, Generic[T]):
    """What something is after a change, and where the change is in force."""

    data: T
    in_force: InForceView


class Deleted(BaseModel):
    """What is gone: its name or id."""

    id: str
    deleted: bool = True


class ErrorView(BaseModel):
    """What is wrong, and with which field."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """Every refusal, in OpenAI's shape."""

    error: ErrorView
