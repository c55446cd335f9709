"""Single values from the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import WeightedTarget, load


def test_values_are_overridden_by_path(write: Callable[[str], Path], minimal: str) -> None:
    """Sections need not be in the file; names match whatever their case, '-' and '.'."""
    read = load(
        write(minimal),
        {
            "SPILLGATE__LISTEN__PORT": "9000",
            "SPILLGATE__CACHE__EXACT__ENABLED": "yes",
            "SPILLGATE__ADMIN__KEY": "0123456789abcdef",
            "SPILLGATE__DEPLOYMENTS__EAST__RPM": "7",
            "SPILLGATE__MODELS__GPT_4O__TIERS": "[{east: 2}]",
            "SPILLGATE_ADMIN_URL": "not an override",
        },
    )
    assert (read.listen.port, read.cache.exact.enabled) == (9000, True)
    assert read.admin is not None
    assert read.admin.key.get_secret_value() == "0123456789abcdef"
    assert read.deployments["east"].rpm == 7
    assert read.models["gpt-4o"].tiers == ((WeightedTarget("east", 2.0),),)


@pytest.mark.parametrize("secret", ["*x", "a: b", "!x", "12345678", "${HOME}x", " {[ "])
def test_text_is_taken_as_it_is(secret: str, write: Callable[[str], Path], minimal: str) -> None:
    """A password is no YAML, and holds no references."""
    read = load(write(minimal), {"SPILLGATE__KEYS__PEPPER": secret})
    assert read.keys.pepper is not None
    assert read.keys.pepper.get_secret_value() == secret


def test_whole_sections_come_before_what_is_in_them(
    write: Callable[[str], Path], minimal: str
) -> None:
    """The order of variables is not the environment's."""
    read = load(
        write(minimal),
        {"SPILLGATE__LISTEN__PORT": "1", "SPILLGATE__LISTEN": "{port: 2, workers: 3}"},
    )
    assert (read.listen.port, read.listen.workers) == (1, 3)


def test_an_override_replaces_what_could_not_be_read(
    write: Callable[[str], Path], minimal: str
) -> None:
    """A variable that the file wants is not needed when its value is overridden."""
    text = minimal + 'admin: {key: "${NOT_SET}"}\n'
    read = load(write(text), {"SPILLGATE__ADMIN__KEY": "given instead of it"})
    assert read.admin is not None


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("FOO", "1", "FOO: the configuration has no such key"),
        (
            "LISTNE__PORT",
            "1",
            "LISTNE__PORT: the configuration has no such key; did you mean listen?",
        ),
        ("LISTEN__PROT", "1", "LISTEN__PROT: listen has no such key; did you mean port?"),
        ("LISTEN__PORT__X", "1", "LISTEN__PORT__X: listen.port has no such key"),
        (
            "DEPLOYMENTS__WEST__RPM",
            "1",
            "DEPLOYMENTS__WEST__RPM: deployments has no such entry; did you mean east?",
        ),
        (
            "DEPLOYMENTS__EAST__NAME",
            "x",
            "DEPLOYMENTS__EAST__NAME: deployments.east has no such key",
        ),
        ("LISTEN__PORT", "canary", "LISTEN__PORT: must be a whole number"),
        (
            "LISTEN__PORT",
            "[canary",
            "LISTEN__PORT: is not valid YAML: a bracket, a comma or a quote is missing or too many",
        ),
        ("LISTEN__PORT", "!canary 1", "LISTEN__PORT: has a YAML tag; tags are not supported"),
        ("LISTEN", "{prot: 1}", "LISTEN: listen.prot: unknown key; did you mean port?"),
        ("", "1", ": the configuration has no such key"),
    ],
)
def test_mistakes_name_the_variable(
    name: str, value: str, line: str, found: Callable[..., list[str]], minimal: str
) -> None:
    """What no file holds has no line."""
    assert found(minimal, {f"SPILLGATE__{name}": value}) == [f"environment: SPILLGATE__{line}"]


def test_what_an_override_makes_wrong_in_the_file_keeps_its_place_there(
    found: Callable[..., list[str]], minimal: str
) -> None:
    """The variable is right by itself; what it asks for is missing in the file."""
    assert found(minimal, {"SPILLGATE__DEPLOYMENTS__EAST__KIND": "ptu"}) == [
        "2:3: deployments.east.ptus: is missing: kind ptu needs it"
    ]
