"""Where traces go, and of which requests there are any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import ConfigProblems, Tracing, load, receiver


@pytest.fixture
def read(write: Callable[[str], Path], minimal: str) -> Callable[[str], Tracing]:
    """The section of a file that says so much of it."""
    return lambda said: load(write(f"{minimal}tracing: {{{said}}}\n"), {"TOKEN": "t0ken"}).tracing


def test_nothing_is_traced_unless_the_config_says_where_to(
    write: Callable[[str], Path], minimal: str, read: Callable[[str], Tracing]
) -> None:
    """Whatever the environment says to other programs."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert not load(write(minimal), environment).tracing.is_on
    assert not read("sample: 1").is_on
    assert read("endpoint: 'http://collector:4318'").is_on
    assert read("azure_monitor: 'InstrumentationKey=0-0'").is_on


def test_one_in_a_hundred_is_traced_and_all_that_is_worth_a_look(
    read: Callable[[str], Tracing],
) -> None:
    """Unless the config says otherwise."""
    assert read("").sample == 0.01
    assert (read("").always.errors, read("").always.spills, read("").always.slow_s) == (
        True,
        True,
        30.0,
    )
    assert read("always: {slow_s: 0, spills: false}").always.slow_s == 0


def test_tokens_are_secrets(read: Callable[[str], Tracing]) -> None:
    """They are in no text that a settings object turns into."""
    said = read(
        "endpoint: 'https://collector', headers: {authorization: 'Bearer ${TOKEN}'},"
        " azure_monitor: 'InstrumentationKey=${TOKEN}'"
    )
    assert said.headers["authorization"].get_secret_value() == "Bearer t0ken"
    assert "t0ken" not in repr(said)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("endpoint: collector:4318", r"tracing\.endpoint: must be a URL such as"),
        ("endpoint: 'http://u:p/w@collector'", r"tracing\.endpoint: .*port is malformed$"),
        ("endpoint: 'http://collector:4318x'", r"tracing\.endpoint: .*port is malformed$"),
        ("endpoint: 'http://[collector'", r"tracing\.endpoint: .*port is malformed$"),
        ("endpoint: 'https://u:p@collector'", r"tracing\.endpoint: .*belong into headers"),
        ("endpoint: 'https://collector/?key=1'", r"tracing\.endpoint: .*belong into headers"),
        ("protocol: zipkin", r"tracing\.protocol: must be http or grpc"),
        ("headers: {Authorization: x}", r"tracing\.headers\."),
        ("sample: 1.5", r"tracing\.sample: must be at most 1"),
        ("sample: 1%", r"tracing\.sample: must be a number"),
        ("most_per_s: 0", r"tracing\.most_per_s: must be above 0"),
        ("always: {slow: 3}", r"tracing\.always\.slow: unknown key; did you mean slow_s"),
        ("azure_monitor: secret-thing", r"tracing\.azure_monitor: must be a connection string"),
        ("export: {queue: 1}", r"tracing\.export\.queue: must be at least 64"),
    ],
)
def test_mistakes_are_named(read: Callable[[str], Tracing], mistake: str, message: str) -> None:
    """By their path, and without the value where it may be a secret."""
    with pytest.raises(ConfigProblems, match=message) as raised:
        read(mistake)
    assert "secret-thing" not in str(raised.value)


@pytest.mark.parametrize(
    ("said", "extra"),
    [
        ("endpoint: 'http://c:4317', protocol: grpc", r"protocol: grpc needs .*otlp-grpc"),
        ("azure_monitor: InstrumentationKey=0", r"azure_monitor: needs .*azure-monitor"),
    ],
)
def test_a_package_that_is_missing_is_a_mistake_of_the_config(
    read: Callable[[str], Tracing], monkeypatch: pytest.MonkeyPatch, said: str, extra: str
) -> None:
    """Told by `check` with how to install it, rather than by the first request."""
    monkeypatch.setattr(receiver, "find_spec", lambda _name: None)
    with pytest.raises(ConfigProblems, match=extra):
        read(said)
