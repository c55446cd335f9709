"""How the admin API changes an entry: on the version that was read, or on the one asked for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request, Response

from app.api.admin.roles import Caller
from app.domain.identity.directory import (
    AdminEntry,
    Change,
    DeploymentEntry,
    Entry,
    InForce,
    KeyEntry,
    LogsEntry,
    TenantEntry,
)
from app.domain.identity.directory_change import place_of
from app.errors import MalformedRequest, VersionConflict
from app.ports import DirectoryStore

E = TypeVar("E", TenantEntry, KeyEntry, AdminEntry, DeploymentEntry, LogsEntry)

#: Others may change an entry between our reading and writing it.
_TRIES: Final = 5
_ETAG: Final = re.compile(r'"([0-9]{1,15})"')


def if_match(request: Request) -> int | None:
    """The version that `If-Match` asks for; None where any will do. Raises MalformedRequest."""
    given = request.headers.get("if-match", "*").strip()
    if given == "*":
        return None
    found = _ETAG.fullmatch(given)
    if found is None:
        raise MalformedRequest('If-Match must be an ETag such as "3", or *.', param="if-match")
    return int(found[1])


#: A handler's parameter: the version that the entry must have.
IfMatch = Annotated[int | None, Depends(if_match)]


def show_version(response: Response, entry: Entry) -> None:
    """Have the answer tell the entry's version."""
    response.headers["etag"] = f'"{entry.version}"'


async def update(
    store: DirectoryStore,
    find: Callable[[], E],
    changed: Callable[[E], E],
    *,
    caller: Caller,
    version: int | None = None,
) -> tuple[E, InForce]:
    """Replace an entry; what it is now, and where that is in force.

    With a `version` only that one, else whichever is there, so that nobody's change is undone.
    Raises VersionConflict, StoreUnavailable, and what `find` and `changed` raise.
    """
    for tries_left in reversed(range(_TRIES)):
        entry = find()
        _check(entry, version)
        after = changed(entry)
        kind, name = place_of(after)
        try:
            in_force = await store.change([Change(kind, name, after, entry.version)], caller.actor)
        except VersionConflict:
            if version is not None or not tries_left:
                raise
            continue
        return replace(after, version=entry.version + 1), in_force
    raise AssertionError  # the last try returns or raises


async def remove(
    store: DirectoryStore,
    entry: Entry,
    *,
    caller: Caller,
    version: int | None,
    before: Sequence[Change] = (),
) -> InForce:
    """Delete an entry, and what is deleted before it in the same step."""
    _check(entry, version)
    kind, name = place_of(entry)
    change = Change(kind, name, None, entry.version if version is not None else None)
    return await store.change([*before, change], caller.actor)


def _check(entry: Entry, version: int | None) -> None:
    """Raise before anything is asked of the store."""
    if version is not None and version != entry.version:
        kind, name = place_of(entry)
        message = f"The {kind} {name!r} is at version {entry.version}, not {version}."
        raise VersionConflict(message)
