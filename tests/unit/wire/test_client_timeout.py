"""The client's own deadline."""

from __future__ import annotations

import math

import pytest

from app.wire.client_timeout import client_timeout_s


@pytest.mark.parametrize("name", ["x-stainless-read-timeout", "x-stainless-timeout"])
@pytest.mark.parametrize(("said", "seconds"), [("600", 600.0), ("0.25", 0.25), ("0", 0.0)])
def test_sdks_tell_it(name: str, said: str, seconds: float) -> None:
    """Python's and Node's, each under its own name; of both the shorter one counts."""
    assert client_timeout_s({name: said}) == seconds
    assert client_timeout_s({"x-stainless-timeout": "1000", "x-stainless-read-timeout": said}) == (
        seconds
    )


@pytest.mark.parametrize("said", ["", "soon", "-1", "nan", "inf", "1e9", "9" * 30, "٣", "5 s"])
def test_what_is_no_number_of_seconds_is_unsaid(said: str) -> None:
    """It decides nothing, and is no reason to refuse."""
    assert client_timeout_s({"x-stainless-read-timeout": said}) == math.inf
    assert client_timeout_s({}) == math.inf
