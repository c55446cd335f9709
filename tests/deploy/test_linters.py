"""Every deployment file through the linter or schema that its format has; `make deploy-check`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import copy, copytree
from typing import Any, Final

import pytest
import yaml

from tests.deploy.files import COMPOSE, OVERLAYS, ROOT, TOOLS
from tests.tools.prometheus import amtool, promtool

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not TOOLS.exists(), reason="`make deploy-check` installs what checks them"),
]
#: The oldest that has `preStop.sleep`, and the newest whose schemas are there.
VERSIONS: Final = ("1.30", "1.37")
#: Of operators: no schema of theirs is a package's.
OPERATORS: Final = {"PrometheusRule", "ServiceMonitor", "ScaledObject"}


def run(*command: str | Path) -> str:
    """What a tool says; a failure is the test's."""
    name, *rest = command
    done = subprocess.run([TOOLS / name, *rest], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def refuses(*command: str | Path) -> bool:
    """Whether a tool finds anything; so that a tool that finds nothing ever is found out."""
    name, *rest = command
    return subprocess.run([TOOLS / name, *rest], check=False, capture_output=True).returncode != 0


def test_the_dockerfile_passes_hadolint(tmp_path: Path) -> None:
    """Without a rule switched off; a base without a version is told."""
    run("hadolint", ROOT / "Dockerfile")
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd / && pip install x\n")
    assert refuses("hadolint", bad)
    assert "hadolint ignore" not in (ROOT / "Dockerfile").read_text("utf-8")


def test_compose_files_fit_their_schema(tmp_path: Path) -> None:
    """The Compose specification's; a key that is spelt wrongly is told."""
    schema = ("--builtin-schema", "vendor.compose-spec")
    run("check-jsonschema", *schema, COMPOSE, ROOT / "deploy" / "compose" / "azure.yaml")
    bad = tmp_path / "compose.yaml"
    bad.write_text("services: {one: {image: x, healthchek: {disable: true}}}\n")
    assert refuses("check-jsonschema", *schema, bad)


def rendered(overlay: Path, into: Path) -> Path:
    """What `kubectl apply -k` would send."""
    path = into / f"{overlay.name}.yaml"
    path.write_text(run("kubectl", "kustomize", overlay))
    return path


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
@pytest.mark.parametrize("version", VERSIONS)
def test_overlays_fit_kubernetes_schemas(overlay: Path, version: str, tmp_path: Path) -> None:
    """Each rendered resource but for the operators' own kinds, of which there is no schema."""
    path = rendered(overlay, tmp_path)
    documents = list(yaml.safe_load_all(path.read_text()))
    said = run("kubernetes-validate", "--strict", "-k", version, path)
    assert said.count(" passed for resource ") == sum(
        each["kind"] not in OPERATORS for each in documents
    )
    assert said.count("Couldn't find schema") == sum(
        each["kind"] in OPERATORS for each in documents
    )


def test_a_mistake_in_a_resource_is_told(tmp_path: Path) -> None:
    """So that the test above can fail."""
    bad = tmp_path / "bad.yaml"
    bad.write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"
        'spec: {replicas: "2", selector: {}, template: {}}\n'
    )
    assert refuses("kubernetes-validate", "--strict", "-k", VERSIONS[-1], bad)


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_nothing_rendered_is_left_hanging(overlay: Path, tmp_path: Path) -> None:
    """Names that resources call each other by are there, all are in the overlay's namespace."""
    documents = list(yaml.safe_load_all(rendered(overlay, tmp_path).read_text()))
    names = {(each["kind"], each["metadata"]["name"]) for each in documents}
    namespaces = {each["metadata"].get("namespace") for each in documents} - {None}
    (gateway,) = [each for each in documents if each["kind"] == "StatefulSet"]
    pod = gateway["spec"]["template"]["spec"]
    assert len(names) == len(documents)
    assert len(namespaces) == 1
    assert ("ServiceAccount", pod["serviceAccountName"]) in names
    assert ("Service", gateway["spec"]["serviceName"]) in names
    for volume in pod["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in names
        if "persistentVolumeClaim" in volume:
            claim = volume["persistentVolumeClaim"]["claimName"]
            assert ("PersistentVolumeClaim", claim) in names
    scaled = any(each["kind"] == "ScaledObject" for each in documents)
    assert ("replicas" in gateway["spec"]) is not scaled


def test_the_other_autoscaler_renders_too(tmp_path: Path) -> None:
    """The prod overlay with the component of the one that it does not take."""
    place = tmp_path / "deploy" / "kubernetes" / "overlays" / "prod"
    copytree(ROOT / "deploy" / "kubernetes", tmp_path / "deploy" / "kubernetes")
    copytree(ROOT / "grafana", tmp_path / "grafana")
    text = (place / "kustomization.yaml").read_text()
    (place / "kustomization.yaml").write_text(text.replace("components/keda ", "components/hpa "))
    documents = list(yaml.safe_load_all(rendered(place, tmp_path).read_text()))
    kinds = {each["kind"] for each in documents}
    assert "HorizontalPodAutoscaler" in kinds
    assert "ScaledObject" not in kinds


def test_rules_render_without_the_operator_too(tmp_path: Path) -> None:
    """The prod overlay with the rules' ConfigMap in place of the operator's resources."""
    place = tmp_path / "deploy" / "kubernetes" / "overlays" / "prod"
    copytree(ROOT / "deploy" / "kubernetes", tmp_path / "deploy" / "kubernetes")
    copytree(ROOT / "deploy" / "prometheus", tmp_path / "deploy" / "prometheus")
    text = (place / "kustomization.yaml").read_text()
    (place / "kustomization.yaml").write_text(text.replace("/monitoring", "/rules"))
    documents = list(yaml.safe_load_all(rendered(place, tmp_path).read_text()))
    found = [each for each in documents if each["metadata"]["name"] == "spillgate-rules"]
    assert [each["kind"] for each in found] == ["ConfigMap"]
    assert not OPERATORS & {each["kind"] for each in documents} - {"ScaledObject"}


def test_rendered_rules_and_dashboards_are_the_files(tmp_path: Path) -> None:
    """What reaches the cluster is what promtool and the panels' tests have read."""
    (overlay,) = [each for each in OVERLAYS if each.name == "prod"]
    documents = list(yaml.safe_load_all(rendered(overlay, tmp_path).read_text()))
    boards = _dashboards(documents)
    directory = ROOT / "grafana" / "dashboards"
    assert boards == {path.name: path.read_text("utf-8") for path in directory.iterdir()}
    (rule,) = [each for each in documents if each["kind"] == "PrometheusRule"]
    plain = tmp_path / "rules.yml"
    plain.write_text(yaml.safe_dump(rule["spec"]))
    checked = promtool("check", "rules", plain)
    assert checked.returncode == 0, checked.stdout


def _dashboards(documents: list[dict[str, Any]]) -> dict[str, str]:
    found = [
        each["data"]
        for each in documents
        if each["metadata"].get("labels", {}).get("grafana_dashboard") == "1"
    ]
    boards = {name: text for each in found for name, text in each.items()}
    assert all(json.loads(text)["uid"] for text in boards.values())
    return boards


def test_prometheus_and_alertmanager_read_their_files(tmp_path: Path) -> None:
    """From the places at which Compose mounts them."""
    copy(ROOT / "prometheus.yml", tmp_path)
    rules = Path("deploy", "prometheus", "rules")
    copytree(ROOT / rules, tmp_path / rules)
    config = promtool("check", "config", tmp_path / "prometheus.yml")
    assert config.returncode == 0, config.stdout
    alerts = amtool("check-config", ROOT / "deploy" / "alertmanager" / "alertmanager.yml")
    assert alerts.returncode == 0, alerts.stdout


def test_every_yaml_file_is_clean() -> None:
    """No key twice, no tabs, no trailing blanks: what YAML's parsers pass over in silence."""
    rules = "{extends: relaxed, rules: {line-length: disable, key-duplicates: enable}}"
    run("yamllint", "--strict", "-d", rules, *_yaml_files())


def _yaml_files() -> list[Path]:
    made = "prometheusrule.yaml"
    below = [*(ROOT / "deploy").rglob("*.yaml"), ROOT / "grafana" / "kustomization.yaml", COMPOSE]
    # What Helm reads is YAML only when it is rendered.
    return [path for path in below if path.name != made and path.parent.name != "templates"]
