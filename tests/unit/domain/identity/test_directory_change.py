"""Changes to the directory: expected versions, counting, and all or nothing."""

from __future__ import annotations

import pytest

from app.domain.identity.directory import (
    AdminEntry,
    CacheEntry,
    Change,
    DeploymentEntry,
    EntraIds,
    EntryKind,
    KeyEntry,
    Role,
    TenantEntry,
)
from app.domain.identity.directory_change import (
    creation,
    directory_of,
    entries_of,
    place_of,
    steps_of,
    without_claimed_ids,
)
from app.errors import AlreadyMapped, VersionConflict
from tests.fakes.changed import replace

SEARCH = TenantEntry("search", version=3)
KEY = KeyEntry("k1", "search", "ab")
ADMIN = AdminEntry("a1", Role.OWNER, "cd")
PTU = DeploymentEntry("ptu", draining=True, weights={"gpt-4o": 3.0})
CACHE = CacheEntry("search", {"model": "gpt-4o"})
ENTRIES = {place_of(entry): entry for entry in (SEARCH, KEY, ADMIN, PTU, CACHE)}


def of_search(expected: int | None, *, delete: bool = False) -> Change:
    return Change(EntryKind.TENANT, "search", None if delete else SEARCH, expected)


def test_a_directory_is_its_entries() -> None:
    """And back."""
    directory = directory_of(ENTRIES.values(), 7)
    assert (directory.version, directory.tenants["search"], directory.keys["k1"]) == (
        7,
        SEARCH,
        KEY,
    )
    assert (directory.admins["a1"], directory.deployments["ptu"]) == (ADMIN, PTU)
    assert directory.caches == {"search": CACHE}
    assert entries_of(directory) == ENTRIES


def test_each_directory_has_its_own_deployments() -> None:
    """Whoever remembers anything of a directory tells by them whether it still is in force."""
    first, second = (directory_of(ENTRIES.values(), 7) for _ in range(2))
    assert first.deployments is not second.deployments


def test_a_step_counts_the_version_whatever_was_given() -> None:
    """One more than before; a new entry begins with 1."""
    given = [of_search(3), creation(KeyEntry("k2", "search", "ab", version=99))]
    changed, created = steps_of(ENTRIES, given)
    assert (changed.before, changed.after) == (SEARCH, replace(SEARCH, version=4))
    assert (created.before, created.after) == (None, KeyEntry("k2", "search", "ab", version=1))


def test_changes_of_one_step_see_each_other() -> None:
    """The same entry twice: the second expects what the first made."""
    first, second, third = steps_of(
        ENTRIES, [of_search(3), of_search(4), of_search(5, delete=True)]
    )
    assert [first.action, second.action, third.action] == ["changed", "changed", "deleted"]


def test_what_may_be_at_any_version_is_not_checked() -> None:
    """And deleting what is not there is no step."""
    assert len(steps_of(ENTRIES, [of_search(None)])) == 1
    assert steps_of({}, [of_search(None, delete=True)]) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (of_search(2), "is at version 3, not at version 2"),
        (of_search(0), "exists already"),
        (of_search(2, delete=True), "is at version 3"),
        (Change(EntryKind.KEY, "k9", KeyEntry("k9", "search", "ab"), 1), "does not exist"),
    ],
)
def test_an_unexpected_version_is_a_conflict(change: Change, words: str) -> None:
    """Named, with what there is; the changes before it are not made either."""
    with pytest.raises(VersionConflict, match=words):
        steps_of(ENTRIES, [creation(TenantEntry("new")), change])


def test_an_entry_under_another_name_is_a_mistake() -> None:
    """It would be written where nobody looks for it."""
    with pytest.raises(ValueError, match="must bear that name"):
        steps_of(ENTRIES, [Change(EntryKind.TENANT, "sales", SEARCH)])


MAPPED = TenantEntry("mapped", entra=EntraIds(applications=("a1",), groups=("g1",)))
UNMAPPED = TenantEntry("unmapped")
TWO = {place_of(entry): entry for entry in (MAPPED, UNMAPPED)}


def changed(entry: TenantEntry, **kinds: tuple[str, ...]) -> Change:
    return Change(EntryKind.TENANT, entry.name, replace(entry, entra=EntraIds(**kinds)))


@pytest.mark.parametrize(
    ("kind", "ids", "place"),
    [
        ("applications", ("a0", "a1"), "entra.applications"),
        ("groups", ("g1",), "entra.groups"),
        ("objects", ("a1",), "entra.objects"),
    ],
)
def test_an_entra_id_is_of_one_tenant(kind: str, ids: tuple[str, ...], place: str) -> None:
    """Whatever kind it stands under; who has it is named."""
    taken = ids[-1]
    for change in (changed(UNMAPPED, **{kind: ids}), creation(replace(MAPPED, name="new"))):
        with pytest.raises(AlreadyMapped, match=r"is mapped to the tenant 'mapped'"):
            steps_of(TWO, [change])
    with pytest.raises(AlreadyMapped, match=f"{place}: {taken} is") as caught:
        steps_of(TWO, [changed(UNMAPPED, **{kind: ids})])
    assert (caught.value.status, caught.value.param) == (409, place)


def test_an_entra_id_moves_in_one_step() -> None:
    """What counts is who has it when all is done; a tenant that is deleted has none."""
    moved = [changed(UNMAPPED, objects=("a1",)), changed(MAPPED, groups=("g1",))]
    assert len(steps_of(TWO, moved)) == 2
    deleted = [changed(UNMAPPED, objects=("a1",)), Change(EntryKind.TENANT, "mapped", None)]
    assert len(steps_of(TWO, deleted)) == 2
    with pytest.raises(AlreadyMapped):
        steps_of({}, [creation(MAPPED), creation(replace(MAPPED, name="other"))])


def test_a_tenant_keeps_its_own_entra_ids() -> None:
    """Changing something else, or an id's kind, is no conflict with itself."""
    assert steps_of(TWO, [Change(EntryKind.TENANT, "mapped", replace(MAPPED, disabled=True))])
    assert steps_of(TWO, [changed(MAPPED, objects=("a1",))])


def test_seeds_do_not_take_an_entra_id_from_its_tenant() -> None:
    """What is left of them can be created."""
    seed = TenantEntry("seed", entra=EntraIds(("a1", "a2"), ("o1",), ("g1",)))
    (tenant, key) = without_claimed_ids([seed, KEY], TWO)
    assert tenant == replace(seed, entra=EntraIds(("a2",), ("o1",), ()))
    assert key is KEY
    assert steps_of(TWO, [creation(tenant)])
