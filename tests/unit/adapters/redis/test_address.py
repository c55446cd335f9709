"""URLs of a cluster's nodes, made from the configured one."""

from __future__ import annotations

import pytest

from app.adapters.redis.address import Address, address_in, url_at

NODE = Address("10.0.0.7", 7001)


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("redis://first", "redis://10.0.0.7:7001"),
        ("redis://first:7000/0", "redis://10.0.0.7:7001/0"),
        ("rediss://user:p%40ss@first:7000", "rediss://user:p%40ss@10.0.0.7:7001"),
        ("rediss://:p@first/0?ssl_check_hostname=no", "rediss://:p@10.0.0.7:7001/0?ssl_check_hostname=no"),
        ("redis://[::1]:7000", "redis://10.0.0.7:7001"),
    ],
)  # fmt: skip
def test_all_but_the_server_stays(url: str, there: str) -> None:
    """Scheme, credentials, database and options are the same for every node."""
    assert url_at(url, NODE) == there
    assert address_in(there) == NODE


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://first", Address("first", 6379)),
        ("redis://", Address("localhost", 6379)),
        ("redis://u:p@[::1]:7000/0", Address("::1", 7000)),
    ],
)
def test_the_server_of_a_url(url: str, address: Address) -> None:
    """Redis's own port where none is given; an IPv6 address has brackets in a URL alone."""
    assert address_in(url) == address
    assert address_in(url_at("redis://x", address)) == address
