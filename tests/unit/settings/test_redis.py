"""Which URLs can be a Redis's, and which a cluster's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import ConfigProblems, load


@pytest.mark.parametrize(
    "url", ["redis://x", "redis://x:7000/0", "rediss://:secret@x/0?ssl_check_hostname=false"]
)
def test_a_node_may_be_named_by_any_tcp_url(
    write: Callable[[str], Path], minimal: str, url: str
) -> None:
    """With or without database 0, which is all that a cluster has."""
    redis = load(write(minimal + f"redis: {{url: '{url}', cluster: true}}\n"), {}).redis
    assert redis is not None
    assert redis.cluster


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("redis://x/3", "a cluster has only database 0; the URL names another"),
        ("redis://x?db=3", "a cluster has only database 0; the URL names another"),
        ("unix:///run/redis.sock", "the nodes of a cluster cannot be reached by a unix:// URL"),
    ],
)
def test_what_no_cluster_has_is_told(
    write: Callable[[str], Path], minimal: str, url: str, problem: str
) -> None:
    """At the key that asks for the cluster; one server may be reached so."""
    load(write(minimal + f"redis: {{url: '{url}'}}\n"), {})
    with pytest.raises(ConfigProblems, match=f"redis.cluster: {problem}"):
        load(write(minimal + f"redis: {{url: '{url}', cluster: true}}\n"), {})


@pytest.mark.parametrize("key", ["url", "cache_url"])
@pytest.mark.parametrize("more", ["", ", cluster: true", ", auth: {entra: {}}"])
@pytest.mark.parametrize(
    "url",
    [
        "rediss://:geheim/wort=@x:10000",
        "rediss://:geheim?wort@x:10000",
        "rediss://:geheim#wort@x:10000",
        "rediss://:geheim[wort@x:10000",
        "rediss://:geheim@x:100000",
    ],
)
def test_a_url_that_nobody_can_read_is_told_without_its_password(
    write: Callable[[str], Path], minimal: str, key: str, more: str, url: str
) -> None:
    """Where it has characters that end a host, what is left of it looks like a port."""
    rest = "" if key == "url" else "url: 'rediss://y', "
    with pytest.raises(ConfigProblems, match=f"redis.{key}: is no URL") as raised:
        load(write(minimal + f"redis: {{{rest}{key}: '{url}'{more}}}\n"), {})
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("key", ["url", "cache_url"])
@pytest.mark.parametrize("url", ["redis://x?nosuch=geheim", "redis://x/geheim", "redis://x?db=x"])
def test_a_url_that_the_client_would_misread_is_refused(
    write: Callable[[str], Path], minimal: str, key: str, url: str
) -> None:
    """Before anything is asked of it: it would look like a lost Redis."""
    rest = "" if key == "url" else "url: 'rediss://y', "
    with pytest.raises(ConfigProblems, match=f"redis.{key}: has ") as raised:
        load(write(minimal + f"redis: {{{rest}{key}: '{url}'}}\n"), {})
    assert "geheim" not in str(raised.value)


@pytest.mark.parametrize("entra", ["", " {}", " {client_id: abc}"])
@pytest.mark.parametrize("more", ["", ", cache_url: 'rediss://y'", ", cache_url: 'redis://:p@y'"])
def test_a_redis_without_a_password_may_be_signed_in_to(
    write: Callable[[str], Path], minimal: str, entra: str, more: str
) -> None:
    """As an identity; empty is the default chain. A cache with a password of its own keeps it."""
    text = f"redis: {{url: 'rediss://x:10000', auth: {{entra:{entra}}}{more}}}\n"
    redis = load(write(minimal + text), {}).redis
    assert redis is not None
    assert redis.auth is not None
    assert (redis.auth.entra is not None and redis.auth.entra.client_id == "abc") is (
        "abc" in entra
    )


@pytest.mark.parametrize(
    ("urls", "problem"),
    [
        ("url: 'redis://x'", "a token is shown by rediss:// alone"),
        ("url: 'rediss://x', cache_url: 'redis://y'", "a token is shown by rediss:// alone"),
        ("url: 'unix:///run/r.sock'", "a token is shown by rediss:// alone"),
        ("url: 'rediss://:secret@x'", "is of no use: every URL has a password"),
    ],
)
def test_a_token_is_never_shown_in_the_clear(
    write: Callable[[str], Path], minimal: str, urls: str, problem: str
) -> None:
    """Nor is it asked for where nobody would be shown it."""
    with pytest.raises(ConfigProblems, match=f"redis.auth: {problem}"):
        load(write(minimal + f"redis: {{{urls}, auth: {{entra: {{}}}}}}\n"), {})
