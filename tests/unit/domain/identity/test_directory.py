"""Entries of the directory."""

from __future__ import annotations

import pytest

from app.domain.identity.directory import KeyEntry


@pytest.mark.parametrize(
    ("disabled", "expires_at", "lets_in"),
    [
        (False, None, True),
        (True, None, False),
        (False, 50.1, True),
        (False, 50.0, False),
        (True, 99.0, False),
    ],
)
def test_a_key_lets_in_until_it_ends(
    expires_at: float | None, *, disabled: bool, lets_in: bool
) -> None:
    """Neither disabled nor expired."""
    key = KeyEntry("k", "t", "digest", disabled=disabled, expires_at=expires_at)
    assert key.is_valid(50.0) is lets_in


def test_a_digest_is_not_shown() -> None:
    """Not that it helped anybody; it is nobody's business."""
    assert "secret-digest" not in repr(KeyEntry("k", "t", "secret-digest"))
