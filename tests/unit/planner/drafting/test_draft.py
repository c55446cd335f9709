"""What `init` writes is a config."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.key import new_key
from app.planner.drafting.draft import draft
from app.planner.drafting.found import Found
from app.settings import Settings, load

EAST = "https://contoso-east.openai.azure.com"
WEST = "https://contoso-west.openai.azure.com"
PTU = Found(EAST, "gpt-4o", "gpt-4o", "ptu", ptus=50, region="eastus", data_zone="us")
PAYGO = Found(WEST, "gpt-4o", "gpt-4o", "paygo", tpm=450_000, rpm=2700)

_TEXT = st.text(min_size=1, max_size=70).filter(lambda text: text.isprintable())
_SIZE = st.none() | st.integers(1, 100_000)
FOUND = st.builds(
    Found,
    st.sampled_from([EAST, WEST]),
    name=_TEXT,
    model=_TEXT,
    kind=st.sampled_from(["paygo", None]),
    tpm=_SIZE,
    rpm=_SIZE,
    region=st.sampled_from(["", "eastus"]),
    keyless=st.booleans(),
    note=st.sampled_from(["", "", "it is\nCreating"]),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drafted") / "spillgate.yaml"


def loaded(path: Path, *found: Found, key_variable: str | None = "THE_KEY") -> Settings:
    made = draft(found, key_variable=key_variable)
    path.write_text(made.text, encoding="utf-8")
    return load(path, {name: new_key() for name in made.variables})


def test_that_ptus_are_the_first_tier(path: Path) -> None:
    """In whatever order they were found; two of a name are told apart by their resource."""
    settings = loaded(path, PAYGO, PTU)
    tiers = settings.models["gpt-4o"].tiers
    assert [[target.name for target in tier] for tier in tiers] == [
        ["gpt-4o"],
        ["gpt-4o-contoso-west"],
    ]
    east, west = settings.deployments["gpt-4o"], settings.deployments["gpt-4o-contoso-west"]
    assert (east.ptus, east.data_zone) == (50, "us")
    assert (west.deployment, west.tpm, west.rpm) == ("gpt-4o", 450_000, 2700)


def test_that_a_third_of_a_name_has_a_number(path: Path) -> None:
    """Of the same resource, even."""
    names = set(loaded(path, PAYGO, PAYGO, PAYGO).deployments)
    assert names == {"gpt-4o", "gpt-4o-contoso-west", "gpt-4o-contoso-west-2"}


def test_how_each_is_let_in(path: Path) -> None:
    """By the key in a variable, or by tokens: all of them, or those that take no key."""
    assert loaded(path, PTU).deployments["gpt-4o"].auth.api_key is not None
    assert loaded(path, PTU, key_variable=None).deployments["gpt-4o"].auth.entra is not None
    keyless = Found(EAST, "a", "gpt-4o", "paygo", keyless=True)
    assert loaded(path, keyless).deployments["a"].auth.entra is not None
    assert draft([keyless], key_variable="THE_KEY").variables == (
        "SPILLGATE_ADMIN_KEY",
        "FIRST_TEAM_KEY",
    )


def test_that_what_is_not_there_is_said() -> None:
    """In one line of comment, whatever it is called."""
    left = Found(EAST, "nightly\nadmin: {}", "gpt-4o", note="batches are not served")
    text = draft([PTU, left], key_variable=None).text
    assert f"# Not here: nightly admin: {{}} at {EAST}: batches are not served\n" in text


@given(st.lists(FOUND, min_size=1, max_size=6).filter(lambda all_: not all(f.note for f in all_)))
def test_that_whatever_is_found_makes_a_config(path: Path, found: list[Found]) -> None:
    """Names of any characters: each deployment is there, under the name that Azure has for it."""
    settings = loaded(path, *found)
    used = [each for each in found if not each.note]
    deployments = settings.deployments.values()
    assert sorted((each.deployment, each.model) for each in deployments) == sorted(
        (each.name, each.model) for each in used
    )
