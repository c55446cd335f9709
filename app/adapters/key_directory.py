"""Who a key belongs to, answered from memory and in the same time for every answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from app.domain.api_key import ApiKey, KeyRecord, digest
from app.domain.tenant import Principal, Tenant

#: What a key is compared with when there is nothing to compare it with; no HMAC is all zeros.
_NOBODY: Final = KeyRecord(id="", tenant="", digest=bytes(32), last4="", pepper_version=0)


class MemoryKeyDirectory:
    """The keys of one configuration snapshot.

    A text that is no key, or that names an unknown one, costs the same HMAC and the same comparison
    as a key that is somebody's, so that timing tells nobody which ids exist.
    """

    def __init__(
        self, records: Iterable[KeyRecord], tenants: Mapping[str, Tenant], pepper: bytes
    ) -> None:
        """A record whose tenant is not among `tenants` is nobody's."""
        self._pepper = pepper
        self._known = {
            record.id: (record, Principal(tenants[record.tenant], record.id))
            for record in records
            if record.tenant in tenants
        }

    def find(self, key: str) -> Principal | None:
        """The principal of a key, None for any other text."""
        parsed = ApiKey.parse(key)
        known = self._known.get(parsed.id) if parsed else None
        record, principal = known or (_NOBODY, None)
        return principal if record.matches(digest(self._pepper, key)) else None
