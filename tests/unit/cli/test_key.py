"""The key command."""

from __future__ import annotations

from typing import Literal

import pytest

from app.cli.key import new_key
from app.domain.api_key import ApiKey


@pytest.mark.parametrize("environment", ["live", "test"])
def test_a_fresh_key_is_well_formed(environment: Literal["live", "test"]) -> None:
    """It is a key and nothing else, and says where it belongs."""
    key = ApiKey.parse(new_key(environment))
    assert key is not None
    assert key.environment == environment


def test_no_two_keys_are_alike() -> None:
    """Ids and secrets both come from fresh randomness."""
    keys = [new_key() for _ in range(200)]
    assert len({key[9:19] for key in keys}) == len({key[20:63] for key in keys}) == 200
