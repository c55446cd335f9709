"""What the account script is given for reserving and settling, and what it answers, as bytes.

Every request pays for these two. What requests of a key for a model have in common is packed once;
the forms are described beside the script's operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.domain.quota.calendar import CalendarWindow, hours_of
from app.domain.quota.limit import Kind, Limit, Measure
from app.domain.quota.reservation import UNUSED, Ask, Charge, Part, Refusal, Reservation

#: By how much a worker's clock may be ahead of the server's where rows are looked for.
SKEW_S: Final = 60.0
#: Lua counts exactly up to here: some nine million dollars.
_MOST: Final = 2**53
#: Of what is packed once; beyond so many all are forgotten.
_REMEMBERED: Final = 16_384


class Unseeded(Exception):  # a state, not an error to report
    """The account has no generation: it is new, or Redis was flushed."""


class Settlement(msgspec.Struct, frozen=True, gc=False):
    """A reservation to be settled, as it waits to be sent; without one, a row alone."""

    reservation: Reservation | None
    charge: Charge
    #: When a row alone was first sent, if no answer came (Unix seconds): it may be there already.
    sent: float | None = None


class Common:
    """What several asks have in common, packed; two are the same where they are one object.

    `lengths` are those of its sliding windows, in milliseconds: one script call has one of each.
    """

    __slots__ = ("ask", "lengths", "packed")

    def __init__(self, ask: Ask) -> None:
        self.ask = ask  # kept: by the identity of what it has this is known
        self.packed = msgspec.Raw(_packed_common(ask))
        self.lengths = tuple(
            (_where(limit), limit.window_ms) for limit in ask.limits if limit.kind is Kind.WINDOW
        )


class Commons:
    """What asks have in common, made once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], Common] = {}

    def of(self, ask: Ask) -> Common:
        """Scopes, limits and calendar windows of an ask."""
        key = (id(ask.scopes), id(ask.limits), id(ask.days), id(ask.months), ask.aside)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[key] = Common(ask)
        return found


def _packed_common(ask: Ask) -> bytes:
    scopes_json = msgspec.json.encode(ask.scopes).decode()
    limits = [packed_limit(limit) for limit in ask.limits]
    days, months = packed_windows(ask.days), packed_windows(ask.months)
    return msgspec.msgpack.encode((ask.scopes, scopes_json, limits, days, months, ask.aside))


def _where(limit: Limit) -> str:
    return f"{limit.name.value}:{limit.scope}"


def packed_windows(windows: Sequence[CalendarWindow]) -> list[tuple[object, ...]]:
    """Calendar windows as the script takes them beside limits."""
    return [(each.name, each.starts, each.ends) for each in windows]


def packed_limit(limit: Limit) -> tuple[object, ...]:
    """A limit as the script takes it."""
    where = _where(limit)
    amount = min(limit.amount, _MOST)
    packed = (limit.kind, limit.measure, limit.scope, amount, limit.mode, limit.window_ms)
    if limit.kind is not Kind.WINDOW or limit.measure is not Measure.TOKENS:
        return (*packed, where)
    said = {"name": limit.name, "scope": limit.scope, "window_ms": limit.window_ms, "bucket": ""}
    return (*packed, where, msgspec.json.encode(said).decode().removesuffix('"}'))


def packed_asks(asks: Sequence[Ask], commons: Sequence[Common], ttl_ms: int) -> list[bytes]:
    """What reserves all of them: the arguments of the script. `commons` are the asks' own."""
    shared: list[Common] = []
    packed: list[tuple[object, ...]] = []
    for ask, common in zip(asks, commons, strict=True):
        if common not in shared:
            shared.append(common)
        place, amounts = shared.index(common) + 1, ask.amounts  # Lua counts from 1
        packed.append((ask.id, place, amounts.requests, amounts.tokens, amounts.nano_usd))
    given = msgspec.msgpack.encode((ttl_ms, [each.packed for each in shared], packed))
    return [given, *[msgspec.json.encode(ask.draft.decode()) for ask in asks]]


#: What became of an ask; a number is the server's time (Unix seconds) where no window of it is now.
Answer = Reservation | Refusal | float


def answers_to(asks: Sequence[Ask], raw: bytes) -> list[Answer]:
    """What became of each. Raises Unseeded."""
    text = raw.decode()
    if text == "unseeded":
        raise Unseeded
    head, *lines = text.split("\n")
    now, _, generation = head.partition(" ")
    now_ms = int(now)
    return [
        _answer(ask, line.split(" "), generation, now_ms)
        for ask, line in zip(asks, lines, strict=True)
    ]


def _answer(ask: Ask, words: list[str], generation: str, now_ms: int) -> Answer:
    if words[0] == "refused":
        return _refusal(ask, int(words[1]), int(words[2]), int(words[3]))
    if words[0] == "skewed":
        return now_ms / 1000
    kind, day_name, month_name, hour_name, left, over = words
    day = _named(ask.days, day_name)
    return Reservation(  # in the order of its fields: by their names it takes longer
        ask,
        generation,
        day,
        _named(ask.months, month_name),
        tuple(map(int, left.split(","))) if left else (),
        tuple(map(int, over.split(","))) if over else (),
        None,
        hours_of(day)[int(hour_name[-2:])],
        # One that was there before may be of another day, or none: it is looked at when settled.
        now_ms if kind == "admitted" else 0,
    )


def _named(windows: Sequence[CalendarWindow], name: str) -> CalendarWindow:
    now = windows[1]  # as nearly always
    if now.name == name:
        return now
    for window in windows:
        if window.name == name:
            return window
    raise ValueError(f"the account answered with a window that was not asked for: {name}")


def _refusal(ask: Ask, index: int, used: int, wait_ms: int) -> Refusal:
    limit = ask.limits[index]
    asked = ask.amounts.of(limit.measure)
    return Refusal(limit, used, asked, None if wait_ms < 0 else max(wait_ms, 1) / 1000)


class _Charges:
    """Whom settlements of one call concern: scopes and windows, and leases, each once."""

    def __init__(self) -> None:
        self.packed: list[Mapping[str, object]] = []
        self.leases: list[str] = []
        self._places: dict[tuple[object, ...], int] = {}
        self._parts: dict[tuple[str, bool, bool], tuple[int, int]] = {}

    def of_part(self, part: Part, reservation: Reservation, *, spilled: bool) -> tuple[int, int]:
        """Its number, and its lease's: from 1 on, as Lua counts.

        Used parts of a lease differ in nothing but `spilled`: of their limits nothing is read. Of
        what nobody used, those of requests are.
        """
        key = part.lease, spilled, part.number == UNUSED
        places = self._parts.get(key)
        if places is None:
            if part.lease not in self.leases:
                self.leases.append(part.lease)
            charge = self._of(reservation.scopes_charged(spilled=spilled), reservation)
            places = self._parts[key] = charge, self.leases.index(part.lease) + 1
        return places

    def of_hold(self, reservation: Reservation, *, spilled: bool) -> tuple[int, int]:
        """Of what has a hold of its own: its number, and that of whom it is held for, or 0."""
        scopes, held_in = reservation.scopes_charged(spilled=spilled), reservation.scopes_held
        place = self._of(scopes, reservation)
        if not reservation.at_ms:
            return place, 0
        return place, place if held_in is scopes else self._of(held_in, reservation)

    def _of(self, scopes: tuple[str, ...], reservation: Reservation) -> int:
        ask, day, hour = reservation.ask, reservation.day, reservation.hour
        key = (scopes, ask.aside, id(ask.limits), id(day), id(reservation.month), id(hour))
        return self._places.get(key) or self._placed(key, scopes, reservation)

    def _placed(
        self, key: tuple[object, ...], scopes: tuple[str, ...], reservation: Reservation
    ) -> int:
        self.packed.append(_charge(scopes, reservation))
        place = self._places[key] = len(self.packed)
        return place


def _charge(scopes: tuple[str, ...], reservation: Reservation) -> Mapping[str, object]:
    hour = {} if reservation.hour is None else {"hour": reservation.hour}
    return {
        "scopes": scopes,
        "day": reservation.day,
        "month": reservation.month,
        "aside": reservation.ask.aside,
        "sliding": _windows(reservation.ask.limits, Measure.TOKENS),
        "counted": _windows(reservation.ask.limits, Measure.REQUESTS),
        **hour,
    }


def _windows(limits: Sequence[Limit], measure: Measure) -> list[tuple[str, int]]:
    return [
        (_where(limit), limit.window_ms)
        for limit in limits
        if limit.kind is Kind.WINDOW and limit.measure is measure
    ]


def packed_items(settlements: Sequence[Settlement]) -> list[bytes]:
    """What settles all of them: the arguments of the script.

    Raises ValueError, TypeError or OverflowError where one of them cannot be said.
    """
    charges = _Charges()
    items = [_item(each, charges) for each in settlements]
    rows = [each.charge.row for each in settlements]
    b"\n".join(rows).decode()  # what is no text is no row
    return [msgspec.msgpack.encode((charges.packed, charges.leases, items)), *rows]


def _item(settlement: Settlement, charges: _Charges) -> tuple[str | int, ...]:
    """What settles one reservation, in the order of `account_settle.lua`."""
    reservation, charge = settlement.reservation, settlement.charge
    if reservation is None:
        return _row_alone(settlement)
    ask, part, actual = reservation.ask, reservation.part, charge.actual
    held, hold, lease, number = ask.amounts, 0, 0, 0
    if part is None:
        place, hold = charges.of_hold(reservation, spilled=charge.spilled)
    else:
        place, lease = charges.of_part(part, reservation, spilled=charge.spilled)
        number = part.number
    return (
        ask.id,
        reservation.generation,
        place,
        hold,
        reservation.at_ms,
        lease,
        number,
        0,
        actual.requests,
        actual.tokens,
        actual.nano_usd,
        held.requests,
        held.tokens,
        held.nano_usd,
    )


def _row_alone(settlement: Settlement) -> tuple[str | int, ...]:
    sent = settlement.sent
    since = 0 if sent is None else max(1, int((sent - SKEW_S) * 1000))  # 0: not sent yet
    return ("", "", 0, 0, 0, 0, 0, since, 0, 0, 0, 0, 0, 0)
