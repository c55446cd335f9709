"""Options of tenant commands as fields of the admin API."""

from __future__ import annotations

import pytest
import typer

from app.cli.tenant_options import entra, fields, unbound, with_ids


def test_what_was_not_given_is_not_sent() -> None:
    """Zero is given."""
    assert fields({"ptu_share": 0.0, "class": None, "regions": None}) == {"ptu_share": 0.0}
    assert unbound(models=False, regions=True) == {"regions": None}
    assert entra(None, ["b"], []) == {"objects": ["b"]}


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("allow", "allow"),
        ("deny", "deny"),
        ("usd_per_day=0.5", {"usd_per_day": 0.5}),
        ("usd_per_hour=5,usd_per_day=50", {"usd_per_hour": 5, "usd_per_day": 50}),
    ],
)
def test_spilling_in_its_forms(value: str, sent: object) -> None:
    """As the config has them."""
    assert fields({"spill": value}) == {"spill": sent}


def test_ids_are_kept_in_order_and_once() -> None:
    """What is added twice, or is there already, is there once."""
    kept = {"applications": ["a"], "objects": [], "groups": ["g"]}
    added = {"applications": ["A", "b", "b"]}
    assert with_ids(kept, added, []) == kept | {"applications": ["a", "b"]}
    assert with_ids(kept, {}, ["G"]) == kept | {"groups": []}
    with pytest.raises(typer.BadParameter, match="not mapped to this tenant: x"):
        with_ids(kept, added, ["x"])
