"""Which URLs can be a cluster's."""

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
