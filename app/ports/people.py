"""Who calls: keys, tokens, tenants and administrators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from app.domain.identity.directory import Actor, AuditRecord, Change, Directory, InForce
from app.domain.identity.tenant import Principal


class KeyDirectory(Protocol):
    """Who a key belongs to; in memory."""

    def find(self, key: str) -> Principal | None:
        """The principal of a key, None for any other text; the work does not depend on which."""
        ...


class DirectoryStore(Protocol):
    """Tenants, keys and administrators, the same on all replicas."""

    @property
    def current(self) -> Directory:
        """The directory as this worker has it; in memory."""
        ...

    async def change(self, changes: Sequence[Change], actor: Actor) -> InForce:
        """Make all of the changes in one step, or none, with a line each in the audit log.

        Returns once they are in force on every live worker, or after a bounded wait. Raises
        VersionConflict where an entry is not at its expected version, StoreUnavailable.
        """
        ...

    async def audit(self, after: int, count: int) -> list[AuditRecord]:
        """Records of the audit log from number `after` + 1 on. Raises StoreUnavailable."""
        ...


class CallerTokens(Protocol):
    """Who an Entra ID access token speaks for."""

    async def find(self, token: str) -> Principal | None:
        """The principal of a token that was verified, None for any other text.

        Raises StoreUnavailable where that cannot be told.
        """
        ...
