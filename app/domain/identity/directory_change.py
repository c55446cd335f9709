"""What a directory is after a change: checked against expected versions, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from app.domain.identity.audit import Step
from app.domain.identity.directory import (
    AdminEntry,
    CacheEntry,
    Change,
    DeploymentEntry,
    Directory,
    Entry,
    EntryKind,
    KeyEntry,
    LogsEntry,
    TenantEntry,
)
from app.errors import AlreadyMapped, VersionConflict

#: An entry's place: what it is, and its name or id.
Place = tuple[EntryKind, str]
Entries = Mapping[Place, Entry]

_KINDS: Final = {
    TenantEntry: EntryKind.TENANT,
    KeyEntry: EntryKind.KEY,
    AdminEntry: EntryKind.ADMIN,
    DeploymentEntry: EntryKind.DEPLOYMENT,
    CacheEntry: EntryKind.CACHE,
    LogsEntry: EntryKind.LOGS,
}


def place_of(entry: Entry) -> Place:
    """Where an entry stands."""
    if isinstance(entry, TenantEntry | DeploymentEntry | LogsEntry):
        return _KINDS[type(entry)], entry.name
    if isinstance(entry, CacheEntry):
        return EntryKind.CACHE, entry.tenant
    return _KINDS[type(entry)], entry.id


def creation(entry: Entry) -> Change:
    """A change that creates it, and fails where it is already there."""
    kind, name = place_of(entry)
    return Change(kind, name, entry, expected=0)


def entries_of(directory: Directory) -> dict[Place, Entry]:
    """All entries by their place."""
    every: list[Entry] = [
        *directory.tenants.values(),
        *directory.keys.values(),
        *directory.admins.values(),
        *directory.deployments.values(),
        *directory.caches.values(),
        *([directory.logs] if directory.logs is not None else []),
    ]
    return {place_of(entry): entry for entry in every}


def directory_of(entries: Iterable[Entry], version: int) -> Directory:
    """The directory of these entries."""
    tenants, keys, admins, deployments, caches = {}, {}, {}, {}, {}
    logs: LogsEntry | None = None
    for entry in entries:
        match entry:
            case TenantEntry():
                tenants[entry.name] = entry
            case KeyEntry():
                keys[entry.id] = entry
            case AdminEntry():
                admins[entry.id] = entry
            case DeploymentEntry():
                deployments[entry.name] = entry
            case CacheEntry():
                caches[entry.tenant] = entry
            case LogsEntry():
                logs = entry
    return Directory(version, tenants, keys, admins, deployments, caches, logs)


def steps_of(entries: Entries, changes: Sequence[Change]) -> list[Step]:
    """The steps that make the changes, each entry one version on.

    Deleting what is not there is no step. Raises VersionConflict, and AlreadyMapped where two
    tenants would have the same Entra ID id afterwards.
    """
    state: dict[Place, Entry | None] = {}
    steps: list[Step] = []
    for change in changes:
        place = change.kind, change.id
        before = state.get(place, entries.get(place))
        _check(change, before)
        version = before.version + 1 if before is not None else 1
        after = replace(change.entry, version=version) if change.entry is not None else None
        state[place] = after
        if before is not None or after is not None:
            steps.append(Step(change, before, after))
    _check_ids(entries, state)
    return steps


def without_claimed_ids(wanted: Iterable[Entry], entries: Entries) -> list[Entry]:
    """Entries to be made, of their Entra ID ids those that no other tenant has."""
    owners = {
        guid: each.name
        for each in entries.values()
        if isinstance(each, TenantEntry)
        for ids in each.entra.kinds.values()
        for guid in ids
    }

    def unclaimed(entry: Entry) -> Entry:
        if not isinstance(entry, TenantEntry):
            return entry
        taken = {guid for guid, owner in owners.items() if owner != entry.name}
        return replace(entry, entra=entry.entra.without(taken))

    return [unclaimed(entry) for entry in wanted]


def _check_ids(entries: Entries, state: Mapping[Place, Entry | None]) -> None:
    """Raise where a changed tenant has an id that another one has, after the change."""
    changed = [entry for entry in state.values() if isinstance(entry, TenantEntry)]
    for mine in changed:
        ids = {guid: kind for kind, ids in mine.entra.kinds.items() for guid in ids}
        for other in {**entries, **state}.values() if ids else ():
            if isinstance(other, TenantEntry) and other.name != mine.name:
                _check_apart(ids, other)


def _check_apart(ids: Mapping[str, str], other: TenantEntry) -> None:
    for kind, theirs in other.entra.kinds.items():
        for guid in theirs:
            if guid in ids:
                place = f"entra.{ids[guid]}"
                theirs_as = f"is mapped to the tenant {other.name!r} ({kind})"
                raise AlreadyMapped(f"{place}: {guid} {theirs_as}.", param=place)


def _check(change: Change, before: Entry | None) -> None:
    """Raise where an entry is not at its expected version, or not what it is said to be."""
    if change.entry is not None and place_of(change.entry) != (change.kind, change.id):
        msg = f"an entry of {change.kind} {change.id!r} must bear that name"
        raise ValueError(msg)
    found = before.version if before is not None else 0
    if change.expected in {None, found}:
        return
    if change.expected == 0:
        raise VersionConflict(f"The {change.kind} {change.id!r} exists already.")
    there = f"is at version {found}" if found else "does not exist"
    raise VersionConflict(
        f"The {change.kind} {change.id!r} {there}, not at version {change.expected}."
    )
