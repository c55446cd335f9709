"""A caller's own limits in OpenAI's headers."""

from __future__ import annotations

import pytest

from app.domain.quota.limit import Limit, LimitName, LimitRule, limit_of
from app.wire.rate_limits import RateLimits, duration, rate_limit_headers


def limit(name: LimitName, amount: float, model: str | None = None) -> Limit:
    return limit_of(LimitRule(name, amount, model=model), 0.0)


def test_the_tightest_of_each_kind_is_shown() -> None:
    """It is the one that will refuse first; budgets and running requests are no rates."""
    left = [
        (limit(LimitName.RPM, 600), 599),
        (limit(LimitName.RPM, 60, model="m"), 3),
        (limit(LimitName.TPM, 1000), 1000),
        (limit(LimitName.CONCURRENCY, 5), 0),
        (limit(LimitName.USD_PER_DAY, 5), 0),
    ]
    assert rate_limit_headers(left) == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "3",
        "x-ratelimit-reset-requests": "1m0s",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "1000",
        "x-ratelimit-reset-tokens": "0s",
    }


def test_beyond_a_soft_limit_nothing_is_left() -> None:
    """Not less than nothing."""
    headers = rate_limit_headers([(limit(LimitName.TPM, 10), -5)])
    assert headers["x-ratelimit-remaining-tokens"] == "0"


def test_the_same_limits_are_known_again() -> None:
    """By themselves: others that are equal, or have their place, are looked at anew."""
    rate_limits, headers = RateLimits(), dict[str, str]()
    limits = (limit(LimitName.CONCURRENCY, 5), limit(LimitName.TPM, 10), limit(LimitName.RPM, 6))
    for left in ((0, 7, 5), (1, 4, 6)):
        rate_limits.add(headers, limits, left)
        assert headers == rate_limit_headers(zip(limits, left, strict=True))
    rate_limits.add(headers, (limit(LimitName.TPM, 20),), (20,))
    assert headers["x-ratelimit-limit-tokens"] == "20"


def test_where_nothing_is_known_nothing_is_said() -> None:
    """As without the account."""
    headers: dict[str, str] = {}
    RateLimits().add(headers, (limit(LimitName.TPM, 10),), ())
    assert headers == {}


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(0, "0s"), (20, "20ms"), (1000, "1s"), (1001, "2s"), (59_000, "59s"), (360_000, "6m0s")],
)
def test_times_are_written_as_openai_does(milliseconds: int, written: str) -> None:
    """Rounded up: never too early."""
    assert duration(milliseconds) == written
