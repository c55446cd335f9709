"""Reading a file: what it means, and that nothing but ConfigProblems comes of junk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from app.domain.identity.api_key import mint
from app.settings import (
    ConfigProblems,
    Settings,
    SpillBudget,
    Timeouts,
    WeightedTarget,
    build,
    environment,
    load,
    problems,
)

KEY = mint(environment="live", id_bytes=bytes(8), secret_bytes=bytes(32))

FULL = """\
listen: {host: 127.0.0.1, port: 8080, admin_host: 127.0.0.1, admin_port: 8081, workers: 1}
redis: {url: redis://127.0.0.1:6379/0}
ledger: {archive: ./.spillgate/ledger, retention_days: 400}
admin: {key: "${SPILLGATE_ADMIN_KEY}"}
deployments:
  ptu-east:
    kind: ptu
    endpoint: https://contoso-east.openai.azure.com
    api: classic
    api_version: "2024-10-21"
    deployment: gpt-4o-ptu
    model: gpt-4o
    ptus: 50
    region: eastus
    data_zone: us
    auth: {entra: {}}
  paygo-sweden: {kind: paygo, endpoint: "https://contoso-se.openai.azure.com", api: v1,
    deployment: gpt-4o, model: gpt-4o, tpm: 450000, rpm: 2700, region: swedencentral,
    data_zone: eu, auth: {entra: }, timeouts: {first_byte_s: 30}, simulator: {ttft_ms: 5}}
models:
  gpt-4o: {tiers: [[ptu-east], {paygo-sweden: 2}]}
tenants:
  search-team:
    keys: ["${SEARCH_TEAM_KEY}"]
    models: [gpt-4o]
    class: interactive
    limits: {rps: 20, rpm: 600, tpm: 200000, concurrency: 50, requests_per_day: 500000,
      tokens_per_day: 20000000, tokens_per_month: 400000000, usd_per_day: 200, usd_per_month: 0}
    ptu_share: 0.4
    spill: {usd_per_day: 50}
    ptu_weight: 2
    data_zones: [us, eu]
    regions: [eastus]
    redis_loss: local_share
cache: {exact: {enabled: false, ttl: 3600}, semantic: {enabled: false, ttl: 3600}}
simulator: {seed: 7, ttft_ms: 120, tpot_ms: 12}
"""
SECRETS = {"SPILLGATE_ADMIN_KEY": "0123456789012345", "SEARCH_TEAM_KEY": KEY}


def test_the_whole_form_is_read(write: Callable[[str], Path]) -> None:
    """Every section arrives as typed values, with defaults where the file is silent."""
    read = load(write(FULL), SECRETS)
    ptu, paygo = read.deployments["ptu-east"], read.deployments["paygo-sweden"]
    tenant = read.tenants["search-team"]
    assert (ptu.name, ptu.deployment, ptu.ptus, paygo.tpm) == ("ptu-east", "gpt-4o-ptu", 50, 450000)
    assert read.models["gpt-4o"].tiers == (
        (WeightedTarget("ptu-east", 1.0),),
        (WeightedTarget("paygo-sweden", 2.0),),
    )
    assert (tenant.request_class, tenant.spill) == ("interactive", SpillBudget(usd_per_day=50))
    assert (tenant.ptu_share, tenant.ptu_weight) == (0.4, 2.0)
    assert (tenant.data_zones, tenant.regions) == (("us", "eu"), ("eastus",))
    assert (tenant.limits.rps, tenant.limits.usd_per_month) == (20, 0)
    assert read.admin is not None
    assert read.admin.key == SecretStr("0123456789012345")
    assert KEY not in repr(read)


def test_a_deployments_own_figures_win_and_the_common_ones_fill_in(
    write: Callable[[str], Path],
) -> None:
    """Timeouts and the simulator are given once and refined per deployment."""
    read = load(write(FULL), SECRETS)
    paygo = read.deployments["paygo-sweden"]
    assert (read.timeouts_of(paygo).first_byte_s, read.timeouts_of(paygo).connect_s) == (30, 2)
    assert (read.simulator_of(paygo).ttft_ms, read.simulator_of(paygo).tpot_ms) == (5, 12)


def test_a_model_that_reasons_may_be_silent_for_longer(write: Callable[[str], Path]) -> None:
    """Unless its deployment says for how long, or everybody may for longer still."""
    read = load(write(FULL), SECRETS)
    ptu, paygo = read.deployments["ptu-east"], read.deployments["paygo-sweden"]
    thinking = read.timeouts_of(ptu, reasons=True)
    assert (thinking.first_byte_s, thinking.idle_s, thinking.total_s) == (300, 300, 600)
    assert read.timeouts_of(paygo, reasons=True).first_byte_s == 30
    patient = read.model_copy(update={"timeouts": Timeouts(first_byte_s=400)})
    assert patient.timeouts_of(ptu, reasons=True).first_byte_s == 400


def test_entra_scope_follows_the_api_unless_given(write: Callable[[str], Path]) -> None:
    """Classic endpoints and v1 endpoints ask for tokens of different audiences."""
    read = load(write(FULL), SECRETS)
    scopes = {name: deployment.entra_scope for name, deployment in read.deployments.items()}
    assert scopes == {
        "ptu-east": "https://cognitiveservices.azure.com/.default",
        "paygo-sweden": "https://ai.azure.com/.default",
    }


def test_settings_are_frozen(write: Callable[[str], Path], minimal: str) -> None:
    """A snapshot that is in use cannot change under its readers."""
    read = load(write(minimal), {})
    with pytest.raises(ValidationError):
        read.listen.port = 1  # type: ignore[misc] # the point of the test


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "1:1: deployments: is missing"),
        ("- a", "1:1: (document): must be a mapping of sections"),
        ("a: [1,", "1:7: (document): is not valid YAML: "),
        ("a: 1\n\tb: 2", "2:1: (document): is not valid YAML: "),
        ("a: \x00", "1:4: (document): is not valid YAML: it holds a control character"),
        ("a: &a [*a]", "1:4: (document): is nested too deeply"),
        ("[" * 3000, "1:1: (document): is nested too deeply"),
        ("a: 1\n---\nb: 2", "2:1: (document): is not valid YAML: it holds more than one document"),
        ("#" * 1_100_000, "1:1: (document): is larger than 1048576 bytes"),
        ("a: \ud800", "1:4: (document): is not UTF-8"),
    ],
)
def test_what_is_no_configuration_at_all_is_one_problem_with_its_place(
    text: str, line: str, found: Callable[[str], list[str]]
) -> None:
    """Syntax, size, encoding and shape are told like any other mistake."""
    assert found(text)[0].startswith(line)


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """The operator mistyped --config."""
    (only,) = problems(tmp_path / "nowhere.yaml", {})
    assert str(only).endswith(
        "nowhere.yaml:1:1: (document): cannot be read: No such file or directory"
    )
    (folder,) = problems(tmp_path, {})
    assert "Is a directory" in folder.message


def test_an_unknown_key_without_a_value_is_still_unknown(
    found: Callable[[str], list[str]], minimal: str
) -> None:
    """Empty keys count as absent, but only those that exist."""
    assert found(minimal + "cache:\nlisten: {port: , wrokers: }\n") == [
        "10:18: listen.wrokers: unknown key; did you mean workers?"
    ]


def test_the_name_that_is_filled_in_cannot_be_given(
    found: Callable[[str], list[str]], minimal: str
) -> None:
    """A deployment is called by its key; a `name` in the file would be ignored otherwise."""
    lines = found(minimal.replace("kind: paygo", "kind: paygo\n    name: west"))
    assert lines == ["4:5: deployments.east.name: unknown key"]


def test_a_missing_variable_hides_no_other_mistake(found: Callable[[str], list[str]]) -> None:
    """What cannot be resolved counts as given, and the rest is still checked."""
    lines = found(
        "deployments:\n"
        "  a: {kind: ptu, endpoint: '${URL}', model: m, auth: {api_key: '${A}'}, api: '${API}'}\n"
        "models: {m: {tiers: [['${T}', b]]}}\n"
    )
    assert lines == [
        "2:3: deployments.a.ptus: is missing: kind ptu needs it",
        "2:28: deployments.a.endpoint: environment variable URL is not set",
        "2:64: deployments.a.auth.api_key: environment variable A is not set",
        "2:78: deployments.a.api: environment variable API is not set",
        "3:23: models.m.tiers[0][0]: environment variable T is not set",
        "3:31: models.m.tiers[0][1]: unknown deployment b",
    ]


def test_keys_that_look_like_pydantics_own_marks_are_unknown_keys(
    found: Callable[[str], list[str]], minimal: str
) -> None:
    """Found by the junk test below: `(` and `[key]` are keys like any other."""
    lines = found(minimal + "'(': 1\n'[key]': 1\ntenants: {t: {spill: {budget: 1}}}\n")
    assert lines == [
        "9:1: ?: unknown key",
        "10:1: ?: unknown key; did you mean keys?",
        "11:23: tenants.t.spill.budget: unknown key",
    ]


def test_both_planes_may_not_share_an_address(
    found: Callable[[str], list[str]], minimal: str
) -> None:
    """Unless both ask for any free port."""
    assert found(minimal + "listen: {port: 8081}\n") == [
        "9:16: listen.port: is the same address for the data plane and the admin API"
    ]
    assert found(minimal + "listen: {port: 0, admin_port: 0}\n") == []


OPENAI = """\
deployments:
  a: {kind: paygo, api: openai, endpoint: "%s", model: m, auth: %s}
models: {m: {tiers: [[a]]}}
"""


@pytest.mark.parametrize(
    ("endpoint", "auth", "line"),
    [
        ("http://127.0.0.1:9/v1", "{api_key: k}", None),
        ("http://127.0.0.1:9", "{api_key: k}", "endpoint: must include the server's /v1"),
        ("http://127.0.0.1:9/v1", "{entra: {}}", "auth.entra.scope: is missing: api openai"),
        ("http://127.0.0.1:9/v1", "{entra: {scope: api://x/.default}}", None),
    ],
)
def test_compatible_servers_need_their_own_path_and_scope(
    endpoint: str, auth: str, line: str | None, found: Callable[[str], list[str]]
) -> None:
    """Nothing of Azure's can be assumed about them."""
    lines = found(OPENAI % (endpoint, auth))
    assert len(lines) == (0 if line is None else 1)
    assert line is None or line in lines[0]


@pytest.mark.parametrize("path", ["/openai", "/openai/v1/", "/openai/deployments/gpt-4o"])
def test_azure_endpoints_end_before_openai(
    path: str, found: Callable[[str], list[str]], minimal: str
) -> None:
    """The portal shows longer addresses than the ones wanted here."""
    lines = found(minimal.replace("azure.com", f"azure.com{path}"))
    assert lines == ["4:15: deployments.east.endpoint: must end before /openai: api v1 adds it"]


def test_build_holds_plain_values_to_the_same_rules() -> None:
    """The demo and tests make settings without a file."""
    entry = {"kind": "ptu", "endpoint": "http://localhost:1/x", "model": "m", "auth": {"entra": {}}}
    raw = {"deployments": {"a": entry}, "models": {"m": {"tiers": [["a"]]}}}
    with pytest.raises(ConfigProblems, match=r"deployments\.a\.ptus: is missing"):
        build(raw)
    entry["ptus"] = 1  # type: ignore[assignment] # any value may stand in raw settings
    entry["auth"] = {"api_key": SecretStr("k")}
    assert build(raw).deployments["a"].endpoint == "http://localhost:1/x"


def test_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read at start-up does not change afterwards."""
    monkeypatch.setenv("SPILLGATE_TEST", "1")
    taken = environment()
    monkeypatch.setenv("SPILLGATE_TEST", "2")
    assert taken["SPILLGATE_TEST"] == "1"


NAMES = st.sampled_from(
    ["listen", "deployments", "models", "tenants", "tiers", "keys", "auth", "entra", "limits",
     "kind", "api", "spill", "cache", "a", "b", "<<", "name", "endpoint", "redis", "url",
     "ptu_share", "admin", "key", "port", "host", "class", "timeouts", "total_s", "ptus"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["ptu", "classic", "${A}", "${file:/x}", "${", "allow", KEY, "https://a"])
    | st.just(10**400) | st.dates()
)  # fmt: skip
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=25,
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "deployments": st.dictionaries(NAMES, JUNK, max_size=3) | JUNK,
        "models": st.dictionaries(NAMES, st.fixed_dictionaries({"tiers": JUNK}), max_size=3),
        "tenants": st.dictionaries(NAMES, JUNK, max_size=3) | JUNK,
        "listen": JUNK,
        "redis": JUNK,
    },
)


def _load(text: str, variables: Mapping[str, str]) -> Settings | ConfigProblems:
    with TemporaryDirectory() as folder:
        path = Path(folder, "spillgate.yaml")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            return load(path, variables)
        except ConfigProblems as found:
            caught = found
    assert caught.problems
    assert str(caught)
    return caught


@settings(max_examples=300, deadline=None)
@given(JUNK | SHAPED, st.dictionaries(st.just("A"), st.text(max_size=9)))
def test_junk_makes_problems_and_nothing_else(junk: object, variables: dict[str, str]) -> None:
    """Any YAML at all is either settings or ConfigProblems with at least one problem."""
    _load(yaml.safe_dump(junk, allow_unicode=True), variables)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:- {}[]&*!|>'\"\n\t#%@`,?<0.1~\x00é\ud800${}", max_size=40))
def test_text_that_is_hardly_yaml_makes_problems_and_nothing_else(text: str) -> None:
    """The parser's own errors do not come through either."""
    assert isinstance(_load(text, {}), ConfigProblems)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        ["LISTEN", "LISTEN__PORT", "DEPLOYMENTS__EAST", "DEPLOYMENTS__EAST__AUTH__API_KEY",
         "MODELS__GPT_4O__TIERS", "TENANTS", "TENANTS__A__KEYS", "", "__", "CACHE__EXACT__TTL"]
    ),
    st.text(max_size=20) | JUNK.map(yaml.safe_dump),
)  # fmt: skip
def test_any_override_makes_settings_or_problems(path: str, value: str) -> None:
    """Variables are as hostile as files."""
    _load(FULL, {**SECRETS, f"SPILLGATE__{path}": value})
