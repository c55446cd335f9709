"""The Azure files as far as it goes without Azure: syntax, names, and the gateway's own part."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from app.cli.check import OK, check
from app.cli.key import new_key
from app.settings import Settings, load
from app.settings.upstream import Timeouts
from tests.deploy.bicep import INFRA, MAIN, NotBicep, parsed
from tests.deploy.files import ROOT, TOOLS, at, read
from tests.tools.prometheus import promtool

CONFIG: Final = INFRA / "spillgate.yaml"
MODULES: Final = tuple(sorted((INFRA / "modules").glob("*.bicep")))
APP: Final = (INFRA / "modules" / "aca.bicep").read_text("utf-8")
CLOSING_S: Final = 15
DEFAULT_TOTAL_S: Final = Timeouts().total_s
needs_tools = pytest.mark.skipif(
    not TOOLS.exists(), reason="`make deploy-check` installs what checks them"
)


def _placed(directory: Path) -> Path:
    """The configuration with its secrets, a file each."""
    given = {
        "redis-url": "rediss://contoso.eastus.redis.azure.net:10000",
        "admin-key": "an-admin-key-of-tests",
        "search-team-key": new_key("test"),
        "insights": "InstrumentationKey=00000000-0000-0000-0000-000000000000",
    }
    for name, value in given.items():
        (directory / name).write_text(value)
    return at(CONFIG, {"/etc/spillgate-secrets": str(directory)}, directory)


@pytest.fixture(name="settings")
def given_settings(tmp_path: Path) -> Settings:
    """What the container app's configuration amounts to."""
    return load(_placed(tmp_path), {})


def test_the_configuration_passes_check(tmp_path: Path) -> None:
    """And has no warning."""
    result = check(_placed(tmp_path), {})
    assert (result.exit_code, len(result.lines)) == (OK, 1), result.lines


def test_the_drain_fits_into_what_container_apps_gives(settings: Settings) -> None:
    """600 s are the most that a replica gets to end; the longest attempt fits into them."""
    found = re.search(r"terminationGracePeriodSeconds: (\d+)", APP)
    assert found
    grace, timeouts = int(found[1]), settings.timeouts
    assert timeouts.total_s <= timeouts.drain_s
    assert timeouts.drain_lag_s + timeouts.drain_s + CLOSING_S <= grace <= 600


def test_a_silent_stream_is_not_cut(settings: Settings) -> None:
    """Container Apps' ingress cuts what is silent for four minutes."""
    assert settings.timeouts.ping_s <= 60


def test_every_secret_of_the_configuration_is_mounted() -> None:
    """Under the name by which the configuration asks for it."""
    asked = set(re.findall(r"\$\{file:/etc/spillgate-secrets/([\w-]+)\}", CONFIG.read_text()))
    mounted = set(re.findall(r"secretRef: '[\w-]+', path: '([\w-]+)' \}", APP))
    assert asked == mounted


def test_ports_are_those_of_the_configuration(settings: Settings) -> None:
    """The ingress leads to the data plane, the probes to the admin listener."""
    assert f"targetPort: {settings.listen.port}\n" in APP
    probed = set(re.findall(r"httpGet: \{ path: '/\w+', port: (\d+) \}", APP))
    assert probed == {str(settings.listen.admin_port)}


def test_azd_finds_the_dockerfile_and_the_templates() -> None:
    """Paths of azure.yaml lead there, and the app bears the service's name."""
    place = ROOT / "deploy" / "azure"
    project = read(place / "azure.yaml")
    (name, service), *others = project["services"].items()
    assert others == []
    assert (place / service["project"] / service["docker"]["path"]).resolve().is_file()
    assert (place / project["infra"]["path"] / f"{project['infra']['module']}.bicep").is_file()
    assert f"'azd-service-name': '{name}'" in APP


def test_api_management_waits_longer_and_keeps_nothing_back(settings: Settings) -> None:
    """Longer than an attempt may take, in either configuration; streams pass as they come."""
    policy = ET.parse(ROOT / "deploy" / "azure" / "apim" / "policy.xml")  # noqa: S314  # our own
    (forward,) = policy.iter("forward-request")
    assert float(forward.attrib["timeout"]) > max(settings.timeouts.total_s, DEFAULT_TOTAL_S)
    assert forward.attrib["buffer-response"] == "false"
    assert not {"validate-content", "cache-store", "find-and-replace"} & {
        each.tag for each in policy.iter()
    }


@pytest.mark.long
@needs_tools
@pytest.mark.parametrize("path", [MAIN, *MODULES], ids=lambda path: path.name)
def test_bicep_files_parse(path: Path) -> None:
    """By pycep: the syntax is right, which says nothing of types and properties."""
    parsed(path.read_text("utf-8"))


@pytest.mark.long
@needs_tools
def test_what_is_no_bicep_is_told() -> None:
    """So that the test above can fail."""
    with pytest.raises(NotBicep):
        parsed("param name string\nresource {")


@pytest.mark.long
@needs_tools
def test_modules_are_given_what_they_ask_for() -> None:
    """Every parameter without a default and no other; outputs that are used are there."""
    main = parsed(MAIN.read_text("utf-8"))
    text = MAIN.read_text("utf-8")
    declared = {path.name: parsed(path.read_text("utf-8")) for path in MODULES}
    used = {Path(path).name for path in re.findall(r"module \w+ '([^']+)'", text)}
    assert used == set(declared)
    for symbol, file, body in re.findall(
        r"(?ms)^module (\w+) 'modules/([\w.-]+)' = (.*?)^\}", text
    ):
        asked = declared[file].parameters
        given = set(re.findall(r"(\w+):", body.split("params:", 1)[1].split("dependsOn", 1)[0]))
        assert given <= set(asked), f"{symbol} knows no {given - set(asked)}"
        assert {name for name, required in asked.items() if required} <= given, symbol
        outputs = set(re.findall(rf"\b{symbol}\.outputs\.(\w+)", text))
        assert outputs <= declared[file].outputs, symbol
    assert set(main.modules) == set(re.findall(r"(?m)^module (\w+) ", text))


@pytest.mark.long
@needs_tools
def test_parameters_are_those_of_the_template() -> None:
    """What azd is given, main.bicep knows; what it needs, azd is given."""
    asked = parsed(MAIN.read_text("utf-8")).parameters
    given = set(json.loads((INFRA / "main.parameters.json").read_text())["parameters"])
    assert given <= set(asked)
    assert {name for name, required in asked.items() if required} <= given


@pytest.mark.long
def test_prometheus_reads_the_sidecar_s_configuration(tmp_path: Path) -> None:
    """With an address and an id in place of the two words."""
    text = (INFRA / "prometheus.yml").read_text("utf-8")
    assert "replace(replace(loadTextContent('../prometheus.yml'), 'REMOTE_WRITE_URL'" in APP
    placed = text.replace("REMOTE_WRITE_URL", "https://contoso.ingest.monitor.azure.com/write")
    without = re.sub(r"(?m)^    azuread:\n(?:      .*\n)+", "", placed)
    assert without != placed
    # Debian's Prometheus is older than the section about Entra ID, which is left out here.
    path = tmp_path / "prometheus.yml"
    path.write_text(without)
    checked = promtool("check", "config", path)
    assert checked.returncode == 0, checked.stdout
