"""What a Redis URL may say: all that is let through, the client takes, and means the same by."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.redis.connection import redis_client
from app.settings.redis_url import database_in, fault_in

HOSTS = st.sampled_from(["x", "x:7000", "[::1]:6379", "user:geheim@x", ":geheim%2Fwort@x", ""])
DATABASES = st.sampled_from(["", "/", "/0", "/3", "/015", "/abc", "/1/2", "/-1", "/%33"])
VALUES = st.sampled_from(["", "0", "3", "x", "true", "no", "none", "required", "771", "772"])
OPTIONS = st.sampled_from(
    [
        *("db", "client_name", "ssl_ca_certs", "ssl_ca_path", "ssl_cert_reqs", "ssl_certfile"),
        *("ssl_check_hostname", "ssl_ciphers", "ssl_keyfile", "ssl_min_version", "ssl_password"),
        *("protocol", "socket_timeout", "password", "username", "host", "nosuch", "retry"),
    ]
)
QUERIES = st.dictionaries(OPTIONS, VALUES, max_size=3).map(
    lambda options: "&".join(f"{name}={value}" for name, value in options.items())
)


@pytest.mark.parametrize(
    "url",
    [
        "redis://x",
        "redis://x:6379/15",
        "redis://user:geheim%40wort@x:6379/0?client_name=spillgate",
        "redis://x?db=3",
        "unix:///run/redis.sock",
        "unix://user:geheim@/run/redis.sock?db=2",
        "rediss://[::1]:6380",
        "rediss://x?ssl_check_hostname=false",
        "rediss://x?ssl_cert_reqs=none&ssl_check_hostname=false",
        "rediss://x?ssl_ca_certs=/etc/ca.pem&ssl_min_version=772",
        "rediss://x?ssl_certfile=/etc/c.pem&ssl_keyfile=/etc/k.pem&ssl_password=geheim%26wort",
    ],
)
def test_what_a_url_may_say(url: str) -> None:
    """Server, user, database, name and TLS."""
    assert fault_in(url) is None


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://x", "must begin with redis://, rediss:// or unix://"),
        ("redis://x/abc", "has a path that is no number of a database"),
        ("redis://x/1/2", "has a path that is no number of a database"),
        ("redis://x/-1", "has a path that is no number of a database"),
        ("redis://x?db=abc", "has an option `db` that is not a number"),
        ("redis://x?db=", "has an option `db` that is not a number"),
        ("redis://x?db=1&db=2", "has the option `db` twice"),
        ("unix://", "names no socket: unix:///PATH"),
        ("redis://x?nosuch=geheim", "has the option `nosuch`; there are db, client_name"),
        ("redis://x?protocol=2", "has the option `protocol`; there are db, client_name"),
        ("rediss://x?password=geheim", "has the option `password`; there are db, client_name, ssl"),
        ("redis://x?ssl_cert_reqs=none", "`ssl_cert_reqs`, which only rediss:// has"),
        ("rediss://x?ssl_cert_reqs=geheim", "is not none, optional or required"),
        ("rediss://x?ssl_check_hostname=geheim", "is not true or false"),
        ("rediss://x?ssl_min_version=770", "is not 771 (TLS 1.2) or 772 (TLS 1.3)"),
        ("redis://:geheim?wort@x", "is no URL: in a password"),
        ("redis://:geheim#wort@x", "is no URL: in a password"),
        ("redis://x#geheim", "is no URL: in a password"),
        ("redis://x:70000", "is no URL: in a password"),
    ],
)
def test_what_would_be_misread_is_told(url: str, fault: str) -> None:
    """By the option's name; what it is given may be a secret."""
    said = fault_in(url)
    assert said is not None
    assert fault in said
    assert "geheim" not in said


@pytest.mark.parametrize(
    ("url", "database"),
    [
        ("redis://x", 0),
        ("redis://x/", 0),
        ("redis://x/7", 7),
        ("redis://x/%37", 7),
        ("redis://x/7?db=3", 3),
        ("unix:///7", 0),
        ("unix:///run/redis.sock?db=2", 2),
    ],
)
def test_the_database_is_the_one_that_the_client_takes(url: str, database: int) -> None:
    """Its option counts before its path."""
    assert database_in(url) == database
    assert redis_client(url).connection_pool.connection_kwargs.get("db", 0) == database


@given(
    scheme=st.sampled_from(["redis", "rediss", "unix"]),
    host=HOSTS,
    path=DATABASES,
    query=QUERIES,
)
def test_the_client_takes_all_that_is_let_through(
    scheme: str, host: str, path: str, query: str
) -> None:
    """And makes a connection of it, whose time limit and protocol are the gateway's."""
    url = f"{scheme}://{host}{path}?{query}"
    if fault_in(url) is not None:
        return
    pool: Any = redis_client(url, operation_timeout_s=0.25).connection_pool
    connection = pool.make_connection()
    assert connection.socket_timeout == 0.25
    assert connection.protocol == 3
    assert connection.db == database_in(url)


@given(secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(lambda t: f"<{t}>"))
def test_a_password_that_is_written_as_it_must_be_is_let_through(secret: str) -> None:
    """Whatever its characters are."""
    assert fault_in(f"rediss://user:{quote(secret, safe='')}@x:6380/2") is None
