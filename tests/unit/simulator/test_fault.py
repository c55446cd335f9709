from __future__ import annotations

import pytest

from app.simulator.fault import NO_FAULT, Fault, Faults, described, parse_fault


def test_a_fault_is_used_up() -> None:
    """Once armed for two requests it meets two, and those of its deployment only."""
    faults = Faults()
    faults.arm(Fault(deployment="east", status=500, times=2))

    taken = [faults.take(name).status for name in ("west", "east", "east", "east")]

    assert taken == [None, 500, 500, None]


def test_faults_happen_in_the_order_in_which_they_were_armed() -> None:
    """A story of failures can be told in advance."""
    faults = Faults()
    faults.arm(Fault(status=500))
    faults.arm(Fault(status=503, times=-1))

    assert [faults.take("any").status for _ in range(4)] == [500, 503, 503, 503]
    faults.clear()
    assert faults.take("any") is NO_FAULT


def test_a_misspelt_field_is_a_mistake() -> None:
    """A test that arms nothing by accident would prove nothing."""
    with pytest.raises(ValueError, match="cut_after_chunk"):
        parse_fault(b'{"cut_after_chunk": 3}')


def test_a_fault_describes_itself() -> None:
    """What was armed is said without what was left as it is."""
    assert described(parse_fault(b'{"usage": "zero"}')) == {"usage": "zero"}
