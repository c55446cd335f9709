"""Lists in parts; the cursor is the last entry's name, so what comes and goes moves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, TypeVar

from fastapi import Query
from pydantic import Field

from app.api.admin.shapes import Body

T = TypeVar("T")

_DEFAULT: Final = 100
_MOST: Final = 1000


class PageQuery(Body):
    """Which part of a list."""

    cursor: str | None = Field(None, max_length=256, description="`next` of the part before")
    limit: int = Field(_DEFAULT, ge=1, le=_MOST)


PageOf = Annotated[PageQuery, Query()]


def part_of(entries: Mapping[str, T], page: PageQuery) -> tuple[list[T], str | None]:
    """The entries after the cursor in the order of their names, and the cursor of the next part."""
    names = sorted(name for name in entries if page.cursor is None or name > page.cursor)
    chosen = names[: page.limit]
    following = chosen[-1] if len(names) > len(chosen) else None
    return [entries[name] for name in chosen], following
