"""What a tenant may use."""

from __future__ import annotations

from app.domain.identity.tenant import Tenant


def test_all_models_unless_some_are_named() -> None:
    """No list means all; an empty one means none."""
    assert Tenant("a").may_use("gpt-4o")
    assert Tenant("a", frozenset({"gpt-4o"})).may_use("gpt-4o")
    assert not Tenant("a", frozenset({"gpt-4o"})).may_use("gpt-4")
    assert not Tenant("a", frozenset()).may_use("gpt-4o")
