"""What keys may stand where, read from the model's annotations."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr

from app.settings.fault import Path

GIVEN_BY_KEY: Final = "name"
"""Filled in from an entry's key, so it is no key of the file."""


def bare(annotation: object) -> object:
    """The annotation without Annotated and without None; the mapping's, where it may be one."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in {Union, UnionType}:
        options = [bare(option) for option in get_args(annotation) if option is not NoneType]
        return next((option for option in options if fields(option)), options[0])
    return annotation


def fields(annotation: object) -> dict[str, object]:
    """Keys that a mapping of this type may have, with their annotations; empty for any other."""
    if not isinstance(annotation, type) or not issubclass(annotation, BaseModel):
        return {}
    return {
        field.alias or name: bare(field.annotation)
        for name, field in annotation.model_fields.items()
        if name != GIVEN_BY_KEY
    }


def entry(annotation: object) -> object:
    """What each entry of a mapping with free keys is, or None when it is no such mapping."""
    return bare(get_args(annotation)[1]) if get_origin(annotation) is dict else None


def is_text(annotation: object) -> bool:
    """Whether a value is taken literally: a YAML number or date given here is still text."""
    return annotation in {str, SecretStr} or get_origin(annotation) is Literal


def at(root: object, path: Path) -> object:
    """The annotation at `path` below `root`, or None when nothing may stand there."""
    here = bare(root)
    for part in path:
        if isinstance(part, int):
            here = bare(get_args(here)[0]) if get_origin(here) is tuple else None
        else:
            here = fields(here).get(part) or entry(here)
        if here is None:
            return None
    return here
