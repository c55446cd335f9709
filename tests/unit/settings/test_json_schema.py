"""The JSON Schema of the configuration: what it lets in, what it refuses; that it is current."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli.schema import schema_text
from app.settings import ConfigProblems, build
from app.settings.docstrings import field_docstrings
from app.settings.json_schema import config_schema
from app.settings.process import Ledger
from app.settings.tree import read_tree
from tests.tools.json_schema import Validator
from tests.unit.settings.conftest import MINIMAL

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs" / "spillgate.schema.json"
SCHEMA = config_schema()
#: A page shows one section, and leaves out what has to be there besides.
EXCERPT = {key: value for key, value in SCHEMA.items() if key != "required"}


def _texts() -> Iterator[tuple[str, str]]:
    for page in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    ):
        blocks = re.findall(r"```ya?ml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        yield from ((f"{page.relative_to(ROOT)}[{at}]", text) for at, text in enumerate(blocks))
    for folder in ("examples", "deploy"):
        for file in sorted((ROOT / folder).rglob("*.y*ml")):
            if "helm" in file.parts:  # templates and their values; the example is a link
                continue
            yield str(file.relative_to(ROOT)), file.read_text("utf-8")


def _configs() -> Iterator[tuple[str, Any]]:
    """What has a section of the configuration; with an ellipsis it is a sketch."""
    for name, text in _texts():
        documents = list(yaml.compose_all(text, yaml.SafeLoader))
        value = read_tree(text, str).value if len(documents) == 1 else None
        if isinstance(value, dict) and set(value) & set(SCHEMA["properties"]) and "…" not in text:
            yield name, value


CONFIGS = dict(_configs())


def test_the_file_is_the_one_that_is_made() -> None:
    """Whoever changes the configuration runs `spillgate schema > docs/spillgate.schema.json`."""
    assert FILE.read_text("utf-8") == schema_text()


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_of_the_repository_is_valid(name: str) -> None:
    """The pages show parts of one; the examples and what is deployed are whole."""
    schema = EXCERPT if ".md[" in name else SCHEMA
    assert Validator(schema).faults(CONFIGS[name]) == []


def test_that_there_are_configurations() -> None:
    """The test above has something to look at."""
    assert len([name for name in CONFIGS if name.startswith("docs/")]) > 20
    assert {"examples/spillgate.yaml", "docs/start.md[0]", "deploy/compose/spillgate.yaml"} <= set(
        CONFIGS
    )


def _minimal(path: str = "", text: str = "{}") -> Any:
    """The least that is a configuration, with a value at a dotted path."""
    whole = yaml.safe_load(MINIMAL)
    if path:
        *sections, key = path.split(".")
        reduce(lambda here, name: here.setdefault(name, {}), sections, whole)[key] = read_tree(
            text, str
        ).value
    return whole


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("surprise", "{key: 1}"),
        ("listen.wrokers", "2"),
        ("listen.port", "80800"),
        ("listen.port", "soon"),
        ("listen.trusted_proxies", "10.0.0.0/8"),
        ("listen", "[1]"),
        ("redis.cluster", "maybe"),
        ("ledger.retention_days", "31"),
        ("deployments", "{}"),
        ("deployments.east.name", "east"),
        ("deployments.east.kind", "paygoo"),
        ("deployments.east.kind", "ptu"),
        ("deployments.east.kind", "[ptu]"),
        ("deployments.east.ptus", "50"),
        ("deployments.east.api", "classic"),
        ("deployments.east.auth", "{}"),
        ("deployments.east.retires", "soon"),
        ("deployments.east.refuses", "[not a name]"),
        ("deployments.east.timeouts.total_s", "3600"),
        ("deployments.b/c", "{}"),
        ("deployments.west", "{kind: paygo, model: gpt-4o, auth: {entra: }}"),
        ("models.gpt-4o.tiers", "[]"),
        ("models.gpt-4o.tiers", "[[]]"),
        ("models.gpt-4o.tiers", "[{east: 0}]"),
        ("models.gpt-4o.tiers", "east"),
        ("models.other", "{}"),
        ("models.other", ""),
        ("tenants.t.class", "interaktive"),
        ("tenants.t.spill", "sometimes"),
        ("tenants.t.spill", "{}"),
        ("tenants.t.spill", "{usd_per_day: -1}"),
        ("tenants.t.limits.rpm", "many"),
        ("tenants.t.limits.rpm", "1.5"),
        ("tenants.t.limits.rpd", "5"),
        ("tenants.t.ptu_weight", "0"),
        ("tenants.t.regions", ""),
        ("tenants.t.regions", "[]"),
        ("tenants.t.models", "{gpt-4o: 1}"),
        ("tracing.headers", "{Authorization: x}"),
        ("logs.requests", "some"),
        ("prices.models.gpt-4o", "[{from: 2026-13, usd_per_million_input: 1}]"),
        ("cache.exact.enabled", "maybe"),
    ],
)
def test_that_mistakes_of_shape_are_refused_as_check_refuses_them(path: str, text: str) -> None:
    """An editor underlines what the gateway would not start with."""
    broken = _minimal(path, text)
    with pytest.raises(ConfigProblems):
        build(broken)
    assert Validator(SCHEMA).faults(broken) != []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("listen.port", '"${PORT}"'),
        ("deployments.east.auth.entra", ""),
        ("deployments.east.retires", "2026-12-01"),
        ("models.gpt-4o.tiers", "[{east: 3}]"),
        ("models.other.alias", "gpt-4o"),
        ("tenants.t", "{spill: {usd_per_hour: 3}, tags: {team: search}, time_zone: Europe/Berlin}"),
        ("tenants.t.spill", "deny"),
        ("logs.requests", "sample"),
        ("logs.requests", "false"),
        ("prices.models.gpt-4o", "{usd_per_million_input: 1}"),
        ("prices.models.gpt-4o", "[{usd_per_million_input: 1}]"),
        ("limits.max_in_flight", "8"),
        *((section, "") for section in SCHEMA["properties"] if section not in SCHEMA["required"]),
    ],
)
def test_that_what_check_accepts_is_accepted(path: str, text: str) -> None:
    """References for any value, every form of a value, and keys that are left empty."""
    good = _minimal(path, text)
    assert Validator(SCHEMA).faults(good) == []
    if "${" not in text:  # what stands for it is only known when a file is loaded
        assert build(good).models


def _keys(section: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every key of the configuration, with its schema; of entries those of the one named `t`."""
    for key, value in section["properties"].items():
        here = f"{path}.{key}" if path else key
        yield here, value
        for each in (value, *value.get("anyOf", ()), *value.get("patternProperties", {}).values()):
            if "$ref" in each and (name := each["$ref"].rsplit("/", 1)[1]) != "Reference":
                entry = ".t" if "patternProperties" in value else ""
                yield from _keys(SCHEMA["$defs"][name], here + entry)


KEYS = dict(_keys(SCHEMA, ""))


def test_that_wrong_types_are_refused_wherever_they_stand() -> None:
    """No key of any section takes what is neither text, a number, a list of them nor a mapping."""
    assert len(KEYS) > 150
    for path in KEYS:
        broken = _minimal(path, "[[{surprise: [1]}]]")
        assert Validator(SCHEMA).faults(broken), path
        with pytest.raises(ConfigProblems):
            build(broken)


def test_that_the_name_of_an_entry_is_no_key() -> None:
    """It is its key in the file already; that of a deployment's model upstream may be left out."""
    assert not [path for path in KEYS if path.endswith(".t.name")]
    assert "deployment" not in SCHEMA["$defs"]["Deployment"]["required"]


def test_that_defaults_and_descriptions_are_shown() -> None:
    """Docstrings below fields and of sections come along, in the words of the file."""
    assert KEYS["listen.port"]["default"] == 8080
    assert KEYS["redis"]["description"] == "Left out: an embedded server is started."
    assert SCHEMA["$defs"]["Redis"]["description"].startswith("Redis endpoints")
    assert not re.search(r"\bNone\b", schema_text())
    assert field_docstrings(Ledger)["retention_days"].startswith("For how many days")
