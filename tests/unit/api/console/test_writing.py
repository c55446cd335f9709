from __future__ import annotations

import pytest

from app.api.console import writing


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        (writing.count(1234), "1,234"),
        (writing.count(0.254), "0.25"),
        (writing.count(12_345.6), "12,346"),
        (writing.count(None), writing.NONE),
        (writing.dollars(1234.5), "$1,234.50"),
        (writing.dollars(0.0123), "$0.0123"),
        (writing.dollars(0.000_012), "$0.000012"),
        (writing.dollars(0), "$0.00"),
        (writing.dollars(-0.5), "-$0.5000"),
        (writing.dollars(None), writing.NONE),
        (writing.nano_dollars(1_500_000_000), "$1.50"),
        (writing.nano_dollars(None), writing.NONE),
        (writing.percent(0.5), "50 %"),
        (writing.percent(0.123), "12.3 %"),
        (writing.percent(None), writing.NONE),
        (writing.seconds(0.0123), "12 ms"),
        (writing.seconds(2.5), "2.50 s"),
        (writing.seconds(90), "2 min"),
        (writing.seconds(7200), "2.0 h"),
        (writing.seconds(864_000), "10 days"),
        (writing.seconds(None), writing.NONE),
        (writing.size(512), "512 B"),
        (writing.size(12_000), "12 kB"),
        (writing.size(3e9), "3.0 GB"),
        (writing.size(None), writing.NONE),
        (writing.moment(0), "1970-01-01 00:00:00 UTC"),
        (writing.moment(None), writing.NONE),
        (writing.clock_time(3661), "01:01:01"),
        (writing.clock_time(None), writing.NONE),
        (writing.machine_time(0), "1970-01-01T00:00:00+00:00"),
    ],
)
def test_how_values_are_written(said: str, meant: str) -> None:
    """What is not known is a dash, never a zero."""
    assert said == meant
