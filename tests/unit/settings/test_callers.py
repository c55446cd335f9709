"""Whose Entra ID tokens are believed, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.settings import load

DIRECTORY = "72f988bf-86f1-41af-91ab-2d7cd011db47"
APP = "0b07f429-9f4b-4714-9392-cc5e8e80c8b0"
OTHER = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
ENTRA = f"entra: {{directory: {DIRECTORY}, audiences: [api://spillgate]}}\n"

Load = Callable[[str], Path]
Found = Callable[[str], list[str]]


def test_the_directorys_issuers_and_keys_follow_from_its_id(write: Load, minimal: str) -> None:
    """Both versions of tokens; ids are the same in either case."""
    entra = load(write(minimal + ENTRA.replace(DIRECTORY, DIRECTORY.upper())), {}).entra
    assert entra is not None
    assert entra.issuers == (
        f"https://sts.windows.net/{DIRECTORY}/",
        f"https://login.microsoftonline.com/{DIRECTORY}/v2.0",
    )
    assert entra.keys_url == f"https://login.microsoftonline.com/{DIRECTORY}/discovery/v2.0/keys"


def test_an_issuer_of_ones_own_is_the_only_one(write: Load, minimal: str) -> None:
    """National clouds and test directories say where they are."""
    text = f"""\
entra:
  directory: {DIRECTORY}
  audiences: [api://a, api://b]
  issuer: https://login.microsoftonline.us/{DIRECTORY}/v2.0
  jwks_url: https://login.microsoftonline.us/{DIRECTORY}/discovery/v2.0/keys
"""
    entra = load(write(minimal + text), {}).entra
    assert entra is not None
    assert entra.issuers == (f"https://login.microsoftonline.us/{DIRECTORY}/v2.0",)
    assert entra.keys_url == f"https://login.microsoftonline.us/{DIRECTORY}/discovery/v2.0/keys"
    assert entra.audiences == ("api://a", "api://b")


def test_a_tenant_has_ids_of_three_kinds(write: Load, minimal: str) -> None:
    """With keys or without."""
    text = f"tenants: {{a: {{entra: {{applications: [{APP.upper()}], groups: [{OTHER}]}}}}, b: }}\n"
    tenants = load(write(minimal + ENTRA + text.replace("b: }", "b: {}}")), {}).tenants
    entra = tenants["a"].entra
    assert (entra.applications, entra.objects, entra.groups) == ((APP,), (), (OTHER,))
    assert tenants["b"].entra.applications == ()


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (f"entra: {{directory: {DIRECTORY}}}", ["9:1: entra.audiences: is missing"]),
        ("entra: {audiences: [a]}", ["9:1: entra.directory: is missing"]),
        (
            f"entra: {{directory: contoso.com, audiences: [], issuers: {DIRECTORY}}}",
            [
                "9:20: entra.directory: must be an id such as 72f988bf-86f1-41af-91ab-2d7cd011db47",
                "9:44: entra.audiences: must not be empty",
                "9:48: entra.issuers: unknown key; did you mean issuer?",
            ],
        ),
        (
            ENTRA.replace("audiences", "jwks_url: http://login.example/keys, audiences"),
            ["9:68: entra.jwks_url: must be https (http is for loopback hosts only)"],
        ),
        (
            ENTRA.replace("audiences", "jwks_url: http://169.254.169.254/, audiences"),
            ["9:68: entra.jwks_url: must not be a link-local or metadata address"],
        ),
        (
            f"tenants: {{a: {{entra: {{applications: [{APP}]}}}}}}",
            ["9:15: tenants.a.entra: needs the section entra with directory and audiences"],
        ),
        (
            (
                f"{ENTRA}tenants:\n  a: {{entra: {{applications: [{APP}]}}}}\n"
                f"  b: {{entra: {{applications: [{OTHER}, {APP.upper()}]}}}}\n"
                f"  c: {{entra: {{groups: [{OTHER}], objects: [search-team]}}}}\n"
            ),
            [
                (
                    "12:68: tenants.b.entra.applications[1]: "
                    "is already in tenants.a.entra.applications[0]"
                ),
                "13:24: tenants.c.entra.groups[0]: is already in tenants.b.entra.applications[0]",
                (
                    "13:73: tenants.c.entra.objects[0]: "
                    "must be an id such as 72f988bf-86f1-41af-91ab-2d7cd011db47"
                ),
            ],
        ),
    ],
    ids=range(7),
)
def test_each_mistake_is_named_at_its_place(
    text: str, problems: list[str], found: Found, minimal: str
) -> None:
    """An id leads to one tenant, an endpoint is safe to call, a tenant's ids have a directory."""
    assert found(minimal + text) == problems


def test_any_yaml_is_survived(found: Found, minimal: str) -> None:
    """Rules pass over what has the wrong type; the model reports it."""
    for text in (
        "tenants: {a: {entra: 7}}",
        "tenants: {a: {entra: {groups: 7}}}",
        "tenants: [entra]",
        "entra: []",
    ):
        assert found(minimal + text)
