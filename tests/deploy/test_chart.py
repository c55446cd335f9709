"""The Helm chart: it lints, and makes object for object what Kustomize's overlays make."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib
from pathlib import Path
from shutil import copytree
from typing import Any, Final

import pytest
import yaml

from tests.deploy.chart import CHART, WARNING, NotAChart, documents, helm, values_of
from tests.deploy.files import KUBERNETES, OVERLAYS, ROOT, TOOLS, read
from tests.deploy.test_linters import OPERATORS, VERSIONS, rendered, run
from tests.tools.rules import RULES

#: Helm's own, which Kustomize has no reason to make.
OF_HELM: Final = {"app.kubernetes.io/managed-by", "app.kubernetes.io/version", "helm.sh/chart"}
#: Beside what the overlays take.
VARIANTS: Final = {
    "as it is": {},
    "hpa": {"autoscaling": {"by": "hpa"}},
    "rules as files": {"monitoring": {"rules": "configMap"}},
    "by TLS": {
        "adminScheme": "HTTPS",
        "monitoring": {"serviceMonitor": True, "tlsConfig": {"insecureSkipVerify": True}},
    },
    "by digest": {"image": {"digest": "sha256:" + "0" * 64}},
    "nothing beside": {"disruptionBudget": False, "networkPolicy": {"enabled": False}},
    "tolerant": {
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "nodeSelector": {"pool": "apps"},
        "image": {"pullSecrets": [{"name": "registry"}]},
        "storage": {"className": "shared"},
        "config": "listen: {port: 8080}\n",
    },
}
needs_tools = pytest.mark.skipif(
    not TOOLS.exists(), reason="`make deploy-check` installs what checks them"
)


def test_the_default_values_are_the_base_s() -> None:
    """Times of the drain, replicas, volume and resources as in deploy/kubernetes/base."""
    values, (pod,) = read(CHART / "values.yaml"), _of_base("statefulset.yaml")
    spec = pod["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert values["drain"] == {
        "preStop": container["lifecycle"]["preStop"]["sleep"]["seconds"],
        "grace": spec["terminationGracePeriodSeconds"],
    }
    assert values["replicas"] == pod["spec"]["replicas"]
    assert values["resources"] == container["resources"]
    (claim,) = _of_base("storage.yaml")
    assert values["storage"]["accessModes"] == claim["spec"]["accessModes"]
    assert values["storage"]["size"] == claim["spec"]["resources"]["requests"]["storage"]


def _of_base(name: str) -> list[dict[str, Any]]:
    text = (KUBERNETES / "base" / name).read_text("utf-8")
    return [each for each in yaml.safe_load_all(text) if each]


def test_every_value_is_in_the_schema_and_none_is_missing() -> None:
    """So a value that is spelt wrongly is refused, and each has a default one can read."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    del schema["properties"]["global"]  # Helm's own
    _same(schema, read(CHART / "values.yaml"), "values")


def _same(schema: Any, values: Any, where: str) -> None:
    if "properties" not in schema:
        return
    assert schema["additionalProperties"] is False, where
    assert set(schema["properties"]) == set(values), where
    for name, each in schema["properties"].items():
        _same(each, values[name], f"{where}.{name}")


def test_the_chart_is_of_the_project_s_version() -> None:
    """The image that it asks for without a word is the one of this version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = read(CHART / "Chart.yaml")
    assert chart["version"] == chart["appVersion"] == version
    assert values_of("prod")["image"]["tag"] == version


def test_what_the_chart_ships_is_the_project_s_own() -> None:
    """Links, and no copies: rules, dashboards and the example are in one place each."""
    for link in (CHART / "files").iterdir():
        assert link.is_symlink(), link
        assert link.resolve().exists(), link


@pytest.mark.long
@needs_tools
@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.name)
def test_the_chart_makes_what_kustomize_makes(overlay: Path, tmp_path: Path) -> None:
    """Each object equal, but for Helm's labels; and no object more or less."""
    made = _by_name(documents(values_of(overlay.name)))
    wanted = _by_name(yaml.safe_load_all(rendered(overlay, tmp_path).read_text()))
    assert set(made) == set(wanted)
    for name, each in wanted.items():
        labels = made[name]["metadata"].pop("labels")
        assert each["metadata"].pop("labels", {}).items() <= labels.items(), name
        assert set(labels) >= OF_HELM
        each["metadata"].pop("namespace", None)
        assert made[name] == each, name


def _by_name(found: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


@pytest.mark.long
@needs_tools
@pytest.mark.parametrize("values", [*VARIANTS.values(), values_of("prod")], ids=[*VARIANTS, "prod"])
def test_the_chart_lints_and_fits_kubernetes_schemas(
    values: dict[str, Any], tmp_path: Path
) -> None:
    """By Helm's linter in its strict mode, and by the schemas of the oldest and newest version."""
    for version in VERSIONS:
        report = helm(values, version=f"v{version}.0")
        assert [each for each in report["messages"] if each["severity"] >= WARNING] == []
        assert report["errors"] == []
    found = documents(values)
    path = tmp_path / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(found))
    for version in VERSIONS:
        said = run("kubernetes-validate", "--strict", "-k", version, path)
        known = sum(each["kind"] not in OPERATORS for each in found)
        assert said.count(" passed for resource ") == known


@pytest.mark.long
@needs_tools
def test_probes_and_metrics_go_by_tls_where_the_admin_plane_does() -> None:
    """All three probes and the ServiceMonitor; a probe does not look at the certificate."""
    found = _by_name(documents(VARIANTS["by TLS"]))
    (container,) = found["StatefulSet", "spillgate"]["spec"]["template"]["spec"]["containers"]
    probes = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert {each["scheme"] for each in probes} == {"HTTPS"}
    (endpoint,) = found["ServiceMonitor", "spillgate"]["spec"]["endpoints"]
    assert (endpoint["scheme"], endpoint["tlsConfig"]) == ("https", {"insecureSkipVerify": True})


@pytest.mark.long
@needs_tools
def test_rules_as_files_are_the_tested_ones() -> None:
    """For a Prometheus without the operator, byte for byte; by the chart and by Kustomize."""
    wanted = {path.name: path.read_text("utf-8") for path in RULES}
    by_chart = _by_name(documents(VARIANTS["rules as files"]))[("ConfigMap", "spillgate-rules")]
    said = run("kubectl", "kustomize", ROOT / "deploy" / "prometheus")
    assert by_chart["data"] == yaml.safe_load(said)["data"] == wanted


@pytest.mark.long
@needs_tools
@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replica": 3}, "replica"),
        ({"autoscaling": {"by": "cpu"}}, "autoscaling"),
        ({"identity": {"clientId": "spillgate"}}, "clientId"),
    ],
)
def test_mistakes_in_values_are_told(values: dict[str, Any], told: str) -> None:
    """By the schema, before anything reaches a cluster."""
    with pytest.raises(NotAChart, match=told):
        helm(values)


@pytest.mark.long
@needs_tools
def test_a_template_that_is_broken_is_told(tmp_path: Path) -> None:
    """So that the tests above can fail."""
    copytree(CHART, tmp_path / "chart")
    (tmp_path / "chart" / "templates" / "bad.yaml").write_text("kind: {{ .Values.none.at.all }}\n")
    with pytest.raises(NotAChart, match="nil pointer"):
        helm({}, chart=tmp_path / "chart")


@pytest.mark.long
@needs_tools
def test_the_packed_chart_needs_nothing_beside_it(tmp_path: Path) -> None:
    """`helm package` follows the links: the archive renders the same."""
    archive = Path(helm({}, into=tmp_path)["archive"])
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    chart = tmp_path / "unpacked" / "spillgate"
    assert not [path for path in chart.rglob("*") if path.is_symlink()]
    assert documents(values_of("prod"), chart=chart) == documents(values_of("prod"))


@pytest.mark.long
@needs_tools
def test_the_notes_name_what_is_missing() -> None:
    """Who installs is told of the Secret, and that the configuration is the example."""
    notes = {
        name: text for name, text in helm({})["rendered"].items() if name.endswith("NOTES.txt")
    }
    (text,) = notes.values()
    assert "`spillgate-secrets`" in text
    assert "the example" in text
    assert "the example" not in re.sub(r"\s+", " ", _notes({"config": "listen: {}\n"}))


def _notes(values: dict[str, Any]) -> str:
    found = helm(values)["rendered"]
    return str(next(text for name, text in found.items() if name.endswith("NOTES.txt")))
