"""Who changed what, and whether the log of it is whole."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from app.api.admin.audit import AuditQuery
from app.api.admin.roles import Action
from app.api.console.frame import Console
from app.api.console.visit import Visit

_AT_ONCE: Final = 100


def add_audit_pages(console: Console) -> None:
    """Register them."""

    @console.page("/audit", Action.READ_AUDIT)
    async def audit(visit: Visit) -> Response:
        before = await _before(visit)
        after = max(0, before - 1 - _AT_ONCE)
        asked = visit.valid(AuditQuery, {"after": after, "limit": _AT_ONCE})
        found = await visit.api("read_audit", asked=asked)
        records = [each for each in found.data if each.number < before]
        return visit.show(
            "audit.html",
            title="Audit",
            records=records[::-1],
            earlier=after + 1 if after else None,
        )

    @console.page("/audit/verify", Action.READ_AUDIT)
    async def verify(visit: Visit) -> Response:
        found = await visit.api("verify")
        return visit.show("audit_verified.html", title="Is the audit log whole?", found=found.data)


async def _before(visit: Visit) -> int:
    """The number that shown records are below; by default one above the last."""
    given = visit.query("before")
    if given.isdecimal() and len(given) < 16:  # noqa: PLR2004  # as many digits as are exact
        return int(given)
    told = visit.services.admin.audit_end
    return (await told()).number + 1 if told is not None else _AT_ONCE + 1
