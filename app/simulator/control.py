"""The simulator's own API under `/_sim`: what was served, and faults to come."""

from __future__ import annotations

from typing import Protocol

import orjson

from app.simulator.fault import Faults, described, parse_fault
from app.simulator.ledger import Ledger
from app.simulator.refusal import Json, invalid, resource_not_found
from app.simulator.site import Site


class Controlled(Protocol):
    """What the control API looks at and changes."""

    sites: dict[str, Site]
    faults: Faults
    ledger: Ledger


def control(simulator: Controlled, method: str, action: str, body: bytes) -> Json:
    """Do what `method /_sim/action` asks and say what was done.

    Raises:
        Refusal: 404, there is no such action, or 400, with what is wrong in the body.
    """
    match method, action:
        case "GET", "ledger":
            return simulator.ledger.report(
                {name: site.utilization for name, site in simulator.sites.items()}
            )
        case "POST", "faults":
            return _arm(simulator, body)
        case "POST", "reset":
            return _reset(simulator, body)
        case _:
            raise resource_not_found()


def _arm(simulator: Controlled, body: bytes) -> Json:
    try:
        fault = parse_fault(body)
    except ValueError as error:
        raise invalid(f"Invalid fault: {error}") from None
    if fault.deployment is not None and fault.deployment not in simulator.sites:
        known = ", ".join(simulator.sites)
        raise invalid(f"Invalid fault: no deployment {fault.deployment!r}; there are: {known}")
    simulator.faults.arm(fault)
    return {"armed": described(fault)}


def _reset(simulator: Controlled, body: bytes) -> Json:
    """Clear ledger and faults; `{"capacity": true}` also empties buckets, caches and stores."""
    with_capacity = _asks_for_capacity(body)
    simulator.ledger.clear()
    simulator.faults.clear()
    if with_capacity:
        for site in simulator.sites.values():
            site.empty()
    return {"reset": True}


def _asks_for_capacity(body: bytes) -> bool:
    try:
        options = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError:
        raise invalid("Invalid reset: the body is not JSON.") from None
    return isinstance(options, dict) and options.get("capacity") is True
