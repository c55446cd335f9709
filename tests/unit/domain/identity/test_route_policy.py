"""Where a policy lets requests go."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.identity.route_policy import ANYWHERE, RoutePolicy

PLACES = st.none() | st.sampled_from(["", "us", "eu"])
BOUND = st.none() | st.frozensets(st.sampled_from(["us", "eu"]))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment is, as far as its configuration says."""

    data_zone: str | None = None
    region: str | None = None


@given(zone=PLACES, region=PLACES)
def test_no_policy_permits_everywhere(zone: str | None, region: str | None) -> None:
    """Also where nobody knows where it is."""
    assert ANYWHERE.permits(Place(zone, region))


@pytest.mark.parametrize("unsaid", [None, ""])
def test_a_place_that_is_unsaid_is_not_permitted(unsaid: str | None) -> None:
    """A forgotten `data_zone` must not be a way out."""
    assert not RoutePolicy(data_zones=frozenset({"us"})).permits(Place(unsaid, "us"))
    assert not RoutePolicy(regions=frozenset({"us"})).permits(Place("us", unsaid))


@given(zone=PLACES, region=PLACES, zones=BOUND, regions=BOUND)
def test_both_must_be_right(
    zone: str | None,
    region: str | None,
    zones: frozenset[str] | None,
    regions: frozenset[str] | None,
) -> None:
    """A policy with both permits exactly what each permits alone."""
    place, both = Place(zone, region), RoutePolicy(data_zones=zones, regions=regions)
    alone = RoutePolicy(data_zones=zones), RoutePolicy(regions=regions)
    assert both.permits(place) == all(each.permits(place) for each in alone)
    assert both.permits(place) or zones is not None or regions is not None
