"""The Kubernetes files: secured, and drained in time; rules and dashboards are the tested ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from app.cli.check import OK, check
from app.cli.key import new_key
from app.settings import Settings, load
from tests.deploy.files import KUBERNETES, ROOT, at, gateway_pod, read, resources
from tests.deploy.prometheus_rule import PLACE, generated, groups_of
from tests.tools.rules import RULES

CONFIG: Final = KUBERNETES / "base" / "spillgate.yaml"
CLOSING_S: Final = 15
POD: Final = gateway_pod()
(CONTAINER,) = POD["containers"]


@pytest.fixture(name="settings")
def given_settings(tmp_path: Path) -> Settings:
    """What the base's configuration amounts to."""
    return load(_placed(tmp_path), {})


def _placed(directory: Path) -> Path:
    """The configuration with its Secret, a file each."""
    given = {
        "redis-url": "rediss://:secret@contoso.eastus.redis.azure.net:10000",
        "admin-key": "an-admin-key-of-tests",
        "search-team-key": new_key("test"),
    }
    for name, value in given.items():
        (directory / name).write_text(value)
    return at(CONFIG, {"/etc/spillgate-secrets": str(directory)}, directory)


def test_the_configuration_passes_check(tmp_path: Path) -> None:
    """And has no warning."""
    result = check(_placed(tmp_path), {})
    assert (result.exit_code, len(result.lines)) == (OK, 1), result.lines


def test_a_pod_is_not_killed_before_its_longest_stream(settings: Settings) -> None:
    """The grace period is all that happens after the end was announced, one after the other."""
    timeouts = settings.timeouts
    before = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert timeouts.drain_s >= timeouts.total_s
    assert POD["terminationGracePeriodSeconds"] >= (
        before + timeouts.drain_lag_s + timeouts.drain_s + CLOSING_S
    )


def test_a_draining_pod_is_seen_before_it_refuses(settings: Settings) -> None:
    """`/readyz` says no for longer than the probe needs to believe it."""
    probe = CONTAINER["readinessProbe"]
    seen = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert seen <= settings.timeouts.drain_lag_s


def test_a_busy_pod_is_not_restarted_soon() -> None:
    """A restart cuts its streams: silence of a minute, and of the loop alone."""
    probe = CONTAINER["livenessProbe"]
    assert probe["httpGet"]["path"] == "/healthz"
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 60


def test_ports_are_those_of_the_configuration(settings: Settings) -> None:
    """And every service leads to one of them."""
    ports = {each["name"]: each["containerPort"] for each in CONTAINER["ports"]}
    assert ports == {"data": settings.listen.port, "admin": settings.listen.admin_port}
    for service in resources(KUBERNETES / "base" / "services.yaml"):
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    assert settings.listen.host == settings.listen.admin_host == "0.0.0.0"  # noqa: S104  # in a pod


def test_the_pod_is_restricted() -> None:
    """What the `restricted` Pod Security Standard asks for, and a read-only root."""
    secured = CONTAINER["securityContext"]
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert secured == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False


def test_the_user_is_the_image_s() -> None:
    """So the volume belongs to whoever the image runs as."""
    user = f"{POD['securityContext']['runAsUser']}:{POD['securityContext']['runAsGroup']}"
    assert f"\nUSER {user}\n" in (ROOT / "Dockerfile").read_text("utf-8")


def test_the_archive_is_on_the_volume(settings: Settings) -> None:
    """What a pod writes elsewhere ends with it."""
    mounts = {each["name"]: each["mountPath"] for each in CONTAINER["volumeMounts"]}
    assert settings.ledger
    assert Path(settings.ledger.archive).is_relative_to(mounts["data"])


def test_rules_are_those_that_were_tested() -> None:
    """The operator's resource is made of Prometheus's own files, all of them, in their order."""
    assert PLACE.read_text("utf-8") == generated()
    assert read(PLACE)["spec"]["groups"] == [each for path in RULES for each in groups_of(path)]


def test_every_dashboard_becomes_a_config_map() -> None:
    """The very files that Grafana is provisioned with; none is left out."""
    named = [
        file
        for each in read(ROOT / "grafana" / "kustomization.yaml")["configMapGenerator"]
        for file in each["files"]
    ]
    there = {path.relative_to(ROOT / "grafana") for path in (ROOT / "grafana").rglob("*.json")}
    assert {Path(each) for each in named} == there
    assert len(named) == len(set(named))
    for each in named:
        assert (ROOT / "grafana" / each).stat().st_size < 200_000, "what an apply may note"


def test_both_autoscalers_go_by_requests_in_flight() -> None:
    """By one number, within the same bounds, and slowly down."""
    (hpa,) = resources(KUBERNETES / "components" / "hpa" / "horizontalpodautoscaler.yaml")
    (keda,) = resources(KUBERNETES / "components" / "keda" / "scaledobject.yaml")
    pods = hpa["spec"]["metrics"][0]["pods"]
    (trigger,) = keda["spec"]["triggers"]
    assert pods["metric"]["name"] in trigger["metadata"]["query"]
    assert pods["target"]["averageValue"] == trigger["metadata"]["threshold"]
    assert hpa["spec"]["behavior"] == _keda_behavior(keda)
    assert (hpa["spec"]["minReplicas"], hpa["spec"]["maxReplicas"]) == (
        keda["spec"]["minReplicaCount"],
        keda["spec"]["maxReplicaCount"],
    )


def _keda_behavior(keda: dict[str, Any]) -> Any:
    return keda["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]


def test_prometheus_knows_the_job_by_its_name() -> None:
    """Rules and dashboards ask for `job="spillgate"`."""
    (monitor,) = resources(KUBERNETES / "components" / "monitoring" / "servicemonitor.yaml")
    label = monitor["spec"]["jobLabel"]
    (common,) = read(KUBERNETES / "base" / "kustomization.yaml")["labels"]
    assert common["pairs"][label] == "spillgate"
    assert [each["path"] for each in monitor["spec"]["endpoints"]] == ["/metrics"]
    assert "spillgate" in json.dumps(read(ROOT / "prometheus.yml")["scrape_configs"])
