"""Who a client is: believed of proxies that are named, and of nobody else."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.forwarded import TrustedProxies, plain

OURS = ("10.0.0.0/8", "192.0.2.7", "fd00::/8")
PROXIES = TrustedProxies(OURS)

addresses = st.ip_addresses().map(str)
ours = st.sampled_from(OURS).flatmap(lambda each: st.ip_addresses(network=each)).map(str)


def is_ours(address: IPv4Address | IPv6Address) -> bool:
    """Or could be written as one of ours."""
    networks = [ip_network(each) for each in OURS]
    mapped = getattr(address, "ipv4_mapped", None) is not None
    return mapped or any(address in each for each in networks if each.version == address.version)


strangers = st.ip_addresses().filter(lambda each: not is_ours(each)).map(str)
junk = st.text(st.characters(exclude_characters=","), max_size=20) | addresses


@given(ours, strangers, st.lists(junk, max_size=5), st.lists(ours, max_size=3))
def test_what_a_client_wrote_itself_changes_nothing(
    peer: str, client: str, written: list[str], behind: list[str]
) -> None:
    """Proxies append who asked them; whatever stands before the client's own address is ignored."""
    told = ", ".join([*written, client, *behind])
    assert PROXIES.client(peer, told) == client


@given(ours, st.lists(junk, max_size=40))
def test_the_answer_is_an_address(peer: str, written: list[str]) -> None:
    """Whatever is in the header: it goes into the log, and is counted by."""
    found = PROXIES.client(peer, ",".join(written))
    assert str(ip_address(found)) == found


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("", "10.0.0.1"),
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.1.1, 192.0.2.7", "203.0.113.9"),
        ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, unknown", "10.0.0.1"),
        ("203.0.113.9, unknown, 10.2.2.2", "10.2.2.2"),
        ("203.0.113.9,", "10.0.0.1"),
        ("203.0.113.9; drop, \x1b[31m", "10.0.0.1"),
    ],
)
def test_lists(told: str, client: str) -> None:
    """From the end, as far as proxies of ours wrote it."""
    assert PROXIES.client("10.0.0.1", told) == client


def test_who_is_trusted() -> None:
    """By network, also where IPv4 came as IPv6; what is no address is nobody."""
    trusted = ("10.9.9.9", "192.0.2.7", "fd00::1", "::ffff:10.0.0.1")
    assert all(PROXIES.trust(each) for each in trusted)
    assert not any(PROXIES.trust(each) for each in ("192.0.2.8", "2001:db8::1", "", "unknown"))


def test_the_scheme_is_the_nearest_proxys() -> None:
    """And one of two; anything else is what the connection itself is."""
    said = {"https": "https", "http, HTTPS": "https", "": "http", "ftp": "http", "https,": "http"}
    assert {each: PROXIES.scheme(each, "http") for each in said} == said


def test_an_address_has_one_form() -> None:
    """For the log, and to be counted by."""
    assert plain("::ffff:192.0.2.1") == "192.0.2.1"
    assert plain("fe80::1%eth0") == "fe80::1"
    assert plain("") == ""
