from __future__ import annotations

import pytest

from app.adapters.upstream.target import MOST_REMEMBERED, Targets
from app.errors import UpstreamMisconfigured


@pytest.mark.parametrize(
    ("url", "server", "line", "host"),
    [
        ("https://A.example/x", ("a.example", 443, True), "/x", "a.example"),
        ("https://a.example:443", ("a.example", 443, True), "/", "a.example"),
        ("https://a.example:8443/", ("a.example", 8443, True), "/", "a.example:8443"),
        ("http://127.0.0.1:80/a%20b?c=%2F&d", ("127.0.0.1", 80, False), "/a%20b?c=%2F&d", None),
        ("http://[::1]:81/x#y", ("::1", 81, False), "/x", "[::1]:81"),
    ],
)
def test_a_url_in_its_parts(
    url: str, server: tuple[str, int, bool], line: str, host: str | None
) -> None:
    """Which server, and what its request says; the path stays as it was quoted."""
    target = Targets().of(url)
    origin = target.origin
    assert (origin.host, origin.port, origin.is_tls) == server
    assert target.lines.startswith(f" {line} HTTP/1.1\r\nhost: {host or server[0]}\r\n")


def test_one_server_is_one_origin() -> None:
    """However many resources it has; another port or scheme is another one."""
    targets = Targets()
    same = {targets.of(f"https://a.example{path}").origin for path in ("", "/x", "/y?z")}
    others = {targets.of(url).origin for url in ("https://a.example:1/", "http://a.example:443/")}
    assert (len(same), len(same | others)) == (1, 3)


def test_what_is_remembered_is_bounded() -> None:
    """URLs of stored responses do not add up."""
    targets = Targets()
    for number in range(3 * MOST_REMEMBERED):
        targets.of(f"https://a.example/{number}")
    assert len(targets._by_url) <= MOST_REMEMBERED  # noqa: SLF001  # its bound
    assert len(targets.origins) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/",
        "http://",
        "nowhere",
        "http://[::1/",
        "http://a:x/",
        "http://a:99999/",
        "http://user@a/",
        "http://a/\r\nx: y",
        "http://a/ b",
        "http://\u00e9/",
    ],
)
def test_what_is_no_url(url: str) -> None:
    """It is a mistake of the configuration, and is not repeated in the error."""
    with pytest.raises(UpstreamMisconfigured) as refused:
        Targets().of(url)
    assert url not in refused.value.message
