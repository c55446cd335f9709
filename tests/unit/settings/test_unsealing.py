"""Sealed values in a configuration: opened where secrets stand, told by place where they do not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from app.settings import ConfigProblems, Settings, load
from app.settings.sealed import MasterKey, MasterKeys
from app.settings.unsealing import place_of, record_of

KEY = MasterKey.of(b"k" * 32)
KEYS = MasterKeys([KEY])
RECORD = "deployments.east-4.1.auth.api_key"


def config(api_key: str, more: str = "", tenant_key: str = "") -> str:
    return f"""\
secrets: {{master_keys: ["${{MASTER}}"]}}
deployments:
  east-4.1: {{kind: paygo, endpoint: "https://x.openai.azure.com", model: gpt-4o,
             auth: {{api_key: "{api_key}"}}}}
models: {{gpt-4o: {{tiers: [[east-4.1]]}}}}
{more}
tenants: {{team: {{keys: [{tenant_key}]}}}}
"""


def loaded(tmp_path: Path, text: str, **environment: str) -> Settings:
    file = tmp_path / "spillgate.yaml"
    file.write_text(text)
    return load(file, {"MASTER": KEY.text} | environment)


def wrong(tmp_path: Path, text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigProblems) as caught:
        loaded(tmp_path, text, **environment)
    return [f"{each.line}:{each.path}: {each.message}" for each in caught.value.problems]


def key_of(settings: Settings) -> str:
    secret = settings.deployments["east-4.1"].auth.api_key
    assert secret is not None
    return secret.get_secret_value()


def seal(secret: str, record: str = RECORD) -> str:
    return KEYS.seal(secret, record, os.urandom)


def test_a_sealed_secret_is_opened_wherever_it_comes_from(tmp_path: Path) -> None:
    """The file, a variable, another file, an override."""
    sealed = seal("the-key")
    assert key_of(loaded(tmp_path, config(sealed))) == "the-key"
    assert key_of(loaded(tmp_path, config("${EAST}"), EAST=sealed)) == "the-key"
    (tmp_path / "east").write_text(sealed + "\n")
    assert key_of(loaded(tmp_path, config("${file:east}"))) == "the-key"
    override = {"SPILLGATE__DEPLOYMENTS__EAST_4_1__AUTH__API_KEY": sealed}
    assert key_of(loaded(tmp_path, config("plain"), **override)) == "the-key"


def test_rules_see_what_was_sealed(tmp_path: Path) -> None:
    """A tenant's key that is none is told as one, without a word of it."""
    sealed = seal("canary-no-key", "tenants.team.keys[0]")
    (told,) = wrong(tmp_path, config("x", tenant_key=f'"{sealed}"'))
    assert "tenants.team.keys[0]" in told
    assert "canary" not in told


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("deployments.west.auth.api_key", "sealed for another place, or changed"),
        (RECORD, "the master key"),
    ],
)
def test_what_does_not_open_is_told_with_its_place(
    tmp_path: Path, record: str, reason: str
) -> None:
    """Moved from elsewhere, or another master key's; no second complaint about the same."""
    keys = KEYS if record != RECORD else MasterKeys([MasterKey.of(b"x" * 32)])
    sealed = keys.seal("canary", record, os.urandom)
    (told,) = wrong(tmp_path, config(sealed))
    assert told.startswith(f"4:{RECORD}: ")
    assert reason in told
    assert sealed[30:60] not in told


def test_a_sealed_value_may_not_stand_where_no_secret_is(tmp_path: Path) -> None:
    """It would be shown afterwards."""
    sealed = seal("canary", "listen.host")
    (told,) = wrong(tmp_path, config("x", more=f'listen: {{host: "{sealed}"}}'))
    assert "listen.host: is no place of a secret" in told


def test_master_keys_are_told_where_they_are_none(tmp_path: Path) -> None:
    """Nor can they be sealed themselves."""
    told = wrong(tmp_path, config("x"), MASTER="canary")
    assert told == [
        "1:secrets.master_keys[0]: is no master key; `spillgate secret new-key` makes one"
    ]
    told = wrong(tmp_path, config("x"), MASTER=seal("x", "secrets.master_keys[0]"))
    place = "1:secrets.master_keys[0]"
    assert told == [f"{place}: is no place of a secret: a sealed value may not stand here"]


def test_without_sealed_values_nothing_is_asked_of_master_keys(tmp_path: Path) -> None:
    """A plain configuration is as before."""
    assert key_of(loaded(tmp_path, config("plain"))) == "plain"


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ("deployments.a.auth.api_key", ("deployments", "a", "auth", "api_key")),
        (RECORD, ("deployments", "east-4.1", "auth", "api_key")),
        ("tenants.t.keys[12]", ("tenants", "t", "keys", 12)),
        ("redis.url", ("redis", "url")),
        ("admin.key", ("admin", "key")),
        ("usage_export.otlp.headers.x-key", ("usage_export", "otlp", "headers", "x-key")),
        ("deployments.a.endpoint", None),
        ("secrets.master_keys[0]", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_a_record_names_a_place_of_a_secret(record: str, place: Any) -> None:
    """Names may have dots in them; the record of the place is the text again."""
    assert place_of(record, Settings) == place
    if place is not None:
        assert record_of(place) == record
