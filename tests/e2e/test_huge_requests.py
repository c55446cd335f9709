"""One huge request of one tenant does not take a shared PTU from the others for a minute."""

from __future__ import annotations

from typing import Any

from app.cli.key import new_key
from app.domain.capacity.spill import SpillReason
from tests.e2e.stack import Stack, ptu_and_paygo, stack

KEYS = {"chats": new_key("test"), "reports": new_key("test"), "bound": new_key("test")}
#: One PTU of gpt-4o takes 2,500 tokens a minute, and one of output counts as four (Azure's sizing).
HUGE, SMALL = 500, 8


def half_a_bucket(suffix: str) -> dict[str, Any]:
    """At most, while others ask; `bound` may go nowhere else."""
    tenants: dict[str, dict[str, Any]] = {name: {"keys": [key]} for name, key in KEYS.items()}
    tenants["bound"]["spill"] = "deny"
    routing = {"routing": {"largest_ptu_fraction": 0.5}}
    return ptu_and_paygo(suffix, ptus=1) | routing | {"tenants": tenants}


async def served_by(team: Stack, tenant: str, cap: int) -> tuple[str, SpillReason]:
    """The kind of deployment that answered, and why it was not the first tier's."""
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    client = team.openai(api_key=KEYS[tenant])
    answer = await client.chat.completions.with_raw_response.create(
        model="gpt-4o", messages=messages, max_tokens=cap
    )
    receipt = await team.receipt(answer.headers["x-request-id"])
    name = answer.headers["x-spillgate-deployment"].partition("-")[0]
    assert answer.headers.get("x-spillgate-spill", "none") == receipt.spill
    return name, receipt.spill


async def test_a_huge_request_spills_while_others_share_the_ptu(redis_url: str) -> None:
    """Alone it may take all; beside others it goes elsewhere, and where it cannot, it is served."""
    async with stack(redis_url, half_a_bucket) as team:
        assert await served_by(team, "chats", SMALL) == ("ptu", SpillReason.NONE)
        assert await served_by(team, "reports", HUGE) == ("paygo", SpillReason.SIZE)
        assert await served_by(team, "reports", SMALL) == ("ptu", SpillReason.NONE)
        assert await served_by(team, "chats", SMALL) == ("ptu", SpillReason.NONE)
        assert await served_by(team, "bound", HUGE) == ("ptu", SpillReason.NONE)


async def test_without_others_nothing_is_too_large(redis_url: str) -> None:
    """Nobody is blocked by who has the PTU alone."""
    async with stack(redis_url, half_a_bucket) as team:
        assert await served_by(team, "reports", HUGE) == ("ptu", SpillReason.NONE)
