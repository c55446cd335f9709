"""What settles is told as arrays: one that is not as it must be changes nothing, wherever."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from app.adapters.accounts.lease import Lease
from app.adapters.redis.account import Settlement, account_key
from app.adapters.redis.account_packing import packed_items
from app.adapters.redis.batch import Refused, Script
from app.domain.quota.limit import LimitName
from app.domain.quota.reservation import Amounts, Charge, Reservation
from tests.fakes.changed import replace
from tests.integration.redis.tenant_account import Account, limit

TPM: Final = limit(LimitName.TPM, 10_000)
RPM: Final = limit(LimitName.RPM, 10_000)
USED: Final = Charge(Amounts(1, 7, 7), b"{}")
NOTHING: Final = Charge(Amounts(), b"")
#: Places of an item, as the script has them.
ID, GENERATION, CHARGE, HOLD, LEASE, NUMBER, TOKENS = 0, 1, 2, 3, 5, 6, 9
SETTLE: Final = Script("account.lua", "account_settle.lua")


async def leased(account: Account) -> Lease:
    """Of ten requests."""
    ask = replace(account.ask(RPM, TPM), amounts=Amounts(10, 1000, 1000), aside=True)
    granted = await account.script.reserve(ask)
    assert isinstance(granted, Reservation)
    return Lease(granted, float("inf"))


def granted(account: Account, lease: Lease) -> Settlement:
    """What settles a part of it."""
    part = lease.part(account.ask(RPM, TPM))
    assert part is not None
    return Settlement(part, USED)


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (ID, ""),
        (ID, None),
        (GENERATION, None),
        (CHARGE, 9),
        (HOLD, 9),
        (HOLD, -1),
        (LEASE, 9),
        (LEASE, -1),
        (LEASE, 0.5),
        (NUMBER, -1),
        (NUMBER, 1.5),
        (NUMBER, 2**32),
        (TOKENS, "many"),
        (TOKENS, None),
        (TOKENS, float("nan")),
    ],
)
async def test_an_item_that_cannot_be_one_changes_nothing(
    account: Account, place: int, told: object
) -> None:
    """Nor do those that are told with it: all of them can be told again."""
    one = granted(account, await leased(account))
    other = Settlement(await account.take(TPM), USED)
    given, *rows = packed_items([one, other])
    charges, leases, items = msgspec.msgpack.decode(given)
    before = await account.keys()
    for spoilt in (0, 1):
        changed: list[list[Any]] = [list(each) for each in items]
        changed[spoilt][place] = told
        packed = msgspec.msgpack.encode((charges, leases, changed))
        with pytest.raises(Refused):
            await account.batch.script(SETTLE, account_key(account.tenant), packed, *rows)
        assert await account.keys() == before
    assert await account.script.settle(account.tenant, [one, other]) == ["settled"] * 2


@pytest.mark.parametrize("missing", ["scopes", "day", "month"])
async def test_a_charge_of_nobody_changes_nothing(account: Account, missing: str) -> None:
    """An item without its account is refused before anything is freed."""
    given, *rows = packed_items([Settlement(await account.take(TPM), USED)])
    charges, leases, items = msgspec.msgpack.decode(given)
    charges[0][missing] = [] if missing == "scopes" else {}
    packed = msgspec.msgpack.encode((charges, leases, items))
    before = await account.keys()
    with pytest.raises(Refused):
        await account.batch.script(SETTLE, account_key(account.tenant), packed, *rows)
    assert await account.keys() == before


async def test_an_item_of_another_length_changes_nothing(account: Account) -> None:
    """Whoever packs in another version's way is told so."""
    given, *rows = packed_items([Settlement(await account.take(TPM), USED)])
    charges, leases, items = msgspec.msgpack.decode(given)
    packed = msgspec.msgpack.encode((charges, leases, [[*items[0], 0]]))
    before = await account.keys()
    with pytest.raises(Refused):
        await account.batch.script(SETTLE, account_key(account.tenant), packed, *rows)
    assert await account.keys() == before


async def test_of_two_who_settle_one_hold_it_is_charged_once(account: Account) -> None:
    """In one call, though but one of them was told when it was taken."""
    knows = await account.take(TPM)
    does_not = replace(knows, at_ms=0)
    both = [Settlement(does_not, USED), Settlement(knows, USED)]
    assert await account.script.settle(account.tenant, both) == ["settled", "duplicate"]
    assert await account.used(LimitName.TOKENS_PER_DAY) == 7


async def test_requests_that_nobody_made_are_given_back_where_they_were_taken(
    account: Account,
) -> None:
    """A window that has forgotten them gets none."""
    lease = await leased(account)
    unused = lease.close()
    assert unused is not None
    long_ago = replace(unused, at_ms=unused.at_ms - 3_600_000)
    [outcome] = await account.script.settle(account.tenant, [Settlement(long_ago, NOTHING)])
    assert (outcome, await account.used(LimitName.RPM)) == ("settled", 10)


async def test_what_nobody_used_is_told_beside_what_somebody_did(account: Account) -> None:
    """Whichever of them comes first, and though nothing is known of the latter's limits."""
    lease = await leased(account)
    one = granted(account, lease)
    assert one.reservation is not None
    spooled = replace(one.reservation, ask=replace(one.reservation.ask, limits=()))
    unused = lease.close()
    assert unused is not None
    both = [Settlement(spooled, USED), Settlement(unused, NOTHING)]
    assert await account.script.settle(account.tenant, both) == ["settled", "settled"]
    assert await account.used(LimitName.RPM) == 1


async def test_a_hold_that_is_gone_keeps_nobody_out(account: Account) -> None:
    """It is known when it was to end, and not what it held."""
    key = account_key(account.tenant)
    await account.client.zadd(f"{key}:expiry", {"gone": 1})
    assert isinstance(await account.take(TPM), Reservation)
    assert await account.client.zscore(f"{key}:expiry", "gone") is None


def test_what_no_number_can_say_is_told_to_who_packs(account: Account) -> None:
    """Settlements that cannot be packed are found one by one, and dropped."""
    ask = account.ask(TPM)
    alone = Reservation(ask, "g1", ask.days[1], ask.months[1])
    with pytest.raises(OverflowError):
        packed_items([Settlement(alone, Charge(Amounts(1, 2**64, 0), b"{}"))])
