"""docker-compose.yml: each part is confined, limited and looked after, and they fit each other."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import yaml

from app.cli.check import OK, check
from app.settings import load
from tests.deploy.files import COMPOSE, COMPOSE_CONFIG, ROOT, at, read, services

SERVICES: Final = services()
#: Their images hold no program that could ask them.
CANNOT_ASK_THEMSELVES: Final = {"otel-collector", "tempo"}
#: After the drain: settling, closing, the last spans.
CLOSING_S: Final = 15


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_confined(name: str) -> None:
    """A read-only root, no capability, no new privilege, and a bound for all it can take."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert not service.get("privileged")
    assert "cap_add" not in service


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    """Each port is bound to the loopback address; Redis has none."""
    ports = SERVICES[name].get("ports", [])
    assert all(str(port).startswith("127.0.0.1:") for port in ports)
    assert not (name == "redis" and ports)


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_asked_how_it_is(name: str) -> None:
    """By a command without a shell; where that cannot be, the file says why."""
    health = SERVICES[name].get("healthcheck", {})
    if name in CANNOT_ASK_THEMSELVES | {"keys"}:
        assert health == {"disable": True}
        return
    assert health["test"][0] == "CMD"
    assert {"interval", "timeout", "retries", "start_period"} <= set(health)


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_a_version(name: str) -> None:
    """None is whatever is the latest, and each can be replaced by one with a digest."""
    match = re.fullmatch(r"\$\{[A-Z_]+_IMAGE:-(\S+:\S+)\}", SERVICES[name]["image"])
    assert match
    assert "latest" not in match[1]


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name: str) -> None:
    """A path that is missing becomes an empty directory of root's, and a puzzle."""
    declared = read(COMPOSE)["volumes"]
    for volume in SERVICES[name].get("volumes", []):
        source, target, *options = volume.split(":")
        if source.startswith("."):
            assert (ROOT / source).exists(), source
            assert options == ["ro"]
        else:
            assert source in declared
        assert target.startswith("/")


def test_prometheus_finds_its_rules_and_keeps_enough() -> None:
    """The project's own files, where prometheus.yml looks for them."""
    service, config = SERVICES["prometheus"], read(ROOT / "prometheus.yml")
    mounted = dict(reversed(each.split(":")[:2]) for each in service["volumes"])
    directory = Path("/etc/prometheus/prometheus.yml").parent
    (pattern,) = config["rule_files"]
    rules = ROOT / mounted[str((directory / pattern).parent)]
    assert list(rules.glob(Path(pattern).name))
    assert mounted["/etc/prometheus/prometheus.yml"] == "./prometheus.yml"
    assert {"--storage.tsdb.retention.time=35d", "--enable-feature=exemplar-storage"} <= set(
        service["command"]
    )


def test_grafana_finds_the_dashboards() -> None:
    """Where the provider that is mounted looks for them."""
    mounted = dict(reversed(each.split(":")[:2]) for each in SERVICES["grafana"]["volumes"])
    provisioning = ROOT / mounted["/etc/grafana/provisioning"]
    (provider,) = read(provisioning / "dashboards" / "spillgate.yaml")["providers"]
    assert list((ROOT / mounted[provider["options"]["path"]]).glob("*.json"))


def _targets() -> dict[str, tuple[str, int]]:
    """Who is reached by whom: a name and a port."""
    scrape = read(ROOT / "prometheus.yml")
    (scraped,) = scrape["scrape_configs"][0]["static_configs"][0]["targets"]
    (alerted,) = scrape["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    sources = read(ROOT / "grafana" / "provisioning" / "datasources" / "spillgate.yaml")
    collector = read(ROOT / "deploy" / "otel" / "collector.yaml")
    gateway = read(COMPOSE_CONFIG)
    urls = {
        "prometheus to gateway": f"http://{scraped}",
        "prometheus to alertmanager": f"http://{alerted}",
        "collector to store": collector["exporters"]["otlphttp"]["endpoint"],
        "gateway to collector": gateway["tracing"]["endpoint"],
        "gateway to redis": gateway["redis"]["url"],
    } | {f"grafana to {each['name']}": each["url"] for each in sources["datasources"]}
    parts = {who: urlsplit(url) for who, url in urls.items()}
    return {who: (part.hostname or "", part.port or 0) for who, part in parts.items()}


def test_who_is_called_is_a_service_on_the_same_network() -> None:
    """Every address in every configuration file is one of these services, at its own port."""
    listening = {
        "gateway": read(COMPOSE_CONFIG)["listen"]["admin_port"],
        "alertmanager": 9093,
        "prometheus": 9090,
        "redis": 6379,
    }
    collector, tempo = _receiver("otel/collector.yaml"), _receiver("tempo/tempo.yaml")
    for who, (host, port) in _targets().items():
        assert host in SERVICES, who
        if host in listening:
            assert port == listening[host], who
    assert _targets()["gateway to collector"] == ("otel-collector", collector)
    assert _targets()["collector to store"] == ("tempo", tempo)
    query = read(ROOT / "deploy" / "tempo" / "tempo.yaml")["server"]["http_listen_port"]
    assert _targets()["grafana to Traces"] == ("tempo", query)
    assert [name for name in SERVICES if "state" in SERVICES[name].get("networks", [])] == [
        "gateway",
        "redis",
    ]


def _receiver(file: str) -> int:
    """The port for OTLP over HTTP."""
    found: dict[str, Any] = read(ROOT / "deploy" / file)
    receivers = found.get("receivers") or found["distributor"]["receivers"]
    port: int = urlsplit("//" + receivers["otlp"]["protocols"]["http"]["endpoint"]).port
    return port


def _made(directory: Path) -> dict[str, str]:
    """What the service `keys` makes there."""
    run_path(str(ROOT / "deploy" / "compose" / "keys.py"))["main"](directory)
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_keys_are_made_once_and_nobody_else_reads_them(tmp_path: Path) -> None:
    """A second start finds those of the first."""
    first = _made(tmp_path / "keys")
    assert set(first) == {"admin", "demo"}
    assert _made(tmp_path / "keys") == first
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert first["admin"] != _made(tmp_path / "others")["admin"]


def test_the_configuration_passes_check(tmp_path: Path) -> None:
    """With the keys that the service makes, and no warning."""
    _made(tmp_path / "keys")
    config = at(COMPOSE_CONFIG, {"/var/lib/spillgate": str(tmp_path)}, tmp_path)
    result = check(config, {})
    assert (result.exit_code, len(result.lines)) == (OK, 1), result.lines


def test_it_waits_for_the_drain(tmp_path: Path) -> None:
    """Nobody is killed while streams may still go on."""
    _made(tmp_path / "keys")
    timeouts = load(
        at(COMPOSE_CONFIG, {"/var/lib/spillgate": str(tmp_path)}, tmp_path), {}
    ).timeouts
    grace = int(SERVICES["gateway"]["stop_grace_period"].removesuffix("s"))
    assert grace >= timeouts.drain_lag_s + timeouts.drain_s + CLOSING_S


def test_with_azure_only_the_command_differs() -> None:
    """The second file takes `--simulate` away, and adds a credential's variables."""
    text = (ROOT / "deploy" / "compose" / "azure.yaml").read_text("utf-8")
    (service,) = yaml.safe_load(text)["services"].values()
    assert set(service) == {"command", "environment"}
    assert [*service["command"], "--simulate"] == SERVICES["gateway"]["command"]
