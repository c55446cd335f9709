"""One file with many mistakes: each is named, at its place, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app.domain.identity.api_key import mint
from app.settings import ConfigProblems, load

CANARY = "canary-5f1b7c"
KEY = mint(environment="live", id_bytes=bytes(8), secret_bytes=bytes(range(32)))
MISTYPED = KEY[:30] + ("a" if KEY[30] != "a" else "b") + KEY[31:]

BROKEN = f"""\
listen: {{host: 127.0.0.1, port: 80800, wrokers: 2, trusted_proxies: [10.0.0.0/8, proxy]}}
admin: {{key: "${{NO_ADMIN_KEY}}"}}
ledger:
  retention_days: soon
deployments:
  ptu-east:
    kind: ptu
    endpoint: https://contoso-east.openai.azure.com
    api: classic
    model: gpt-4o
    auth: {{entra: {{}}, api_key: {CANARY}}}
  paygo-sweden:
    kind: paygoo
    endpoint: http://169.254.169.254/
    model: gpt-4o-mini
    tmp: 3
    auth: {{}}
  paygo-west:
    kind: paygo
    ptus: 50
    endpoint: https://user:{CANARY}@west.example
    api_version: 2024-10-21
    model: gpt-4o
    auth: {{api_key: "${{file:no-such-file}}"}}
    timeouts: {{total_s: 3600}}
models:
  gpt-4o: {{tiers: [[ptu-eest], {{paygo-sweden: 0, ptu-east: 1}}, [ptu-east]]}}
  gpt-4o: {{tiers: []}}
  empty: {{tiers: []}}
tenants:
  search:
    models: [gpt-4]
    keys: [{CANARY}, {KEY}, {MISTYPED}]
    spill: sometimes
    limits: {{rpm: many, rpd: 5}}
    ptu_share: 0.7
  reports:
    keys: ["{KEY}"]
    class: interaktive
    ptu_weight: 0
    redis_loss: {CANARY}
  b/c: {{ptu_share: 3, data_zones: [], regions: }}
cache: {{exact: {{enabled: maybe}}}}
simulator: [1]
surprise: {{key: {CANARY}}}
"""

EXPECTED = """\
1:33: listen.port: must be at most 65535
1:40: listen.wrokers: unknown key; did you mean workers?
1:82: listen.trusted_proxies[1]: must be an IP address or network such as 10.0.0.0/8
2:14: admin.key: environment variable NO_ADMIN_KEY is not set
4:19: ledger.retention_days: must be a whole number
6:3: deployments.ptu-east.api_version: is missing: api classic needs it
6:3: deployments.ptu-east.ptus: is missing: kind ptu needs it
11:11: deployments.ptu-east.auth: must have entra or api_key, not both
13:11: deployments.paygo-sweden.kind: must be ptu or paygo; did you mean paygo?
14:15: deployments.paygo-sweden.endpoint: must not be a link-local or metadata address
16:5: deployments.paygo-sweden.tmp: unknown key; did you mean tpm?
17:11: deployments.paygo-sweden.auth: must have entra or api_key
20:5: deployments.paygo-west.ptus: does not belong to kind paygo
21:15: deployments.paygo-west.endpoint: must not hold a user name or password; use auth
22:18: deployments.paygo-west.api_version: must be v1 or preview with api v1; \
dated versions need api classic
24:21: deployments.paygo-west.auth.api_key: file 'no-such-file' cannot be read: \
No such file or directory
25:25: deployments.paygo-west.timeouts.total_s: must be at most 1800
27:21: models.gpt-4o.tiers[0][0]: unknown deployment ptu-eest; did you mean ptu-east?
27:47: models.gpt-4o.tiers[1].paygo-sweden: must be a weight: a number above 0, at most 1000000
27:50: models.gpt-4o.tiers[1].ptu-east: serves another base model than the deployments before it
27:65: models.gpt-4o.tiers[2][0]: is already in models.gpt-4o.tiers[1].ptu-east
27:65: models.gpt-4o.tiers[2][0]: serves another base model than the deployments before it
28:3: models.gpt-4o: is given twice
29:18: models.empty.tiers: must have at least one tier
32:14: tenants.search.models[0]: unknown model gpt-4; did you mean gpt-4o?
33:12: tenants.search.keys[0]: is not a key (spg_live_… or spg_test_…); \
`spillgate key new` makes one
33:98: tenants.search.keys[2]: is not a key: its checksum is wrong, so it was mistyped or cut
34:12: tenants.search.spill: must be allow, deny or a mapping with usd_per_hour, usd_per_day or both
35:19: tenants.search.limits.rpm: must be a whole number
35:25: tenants.search.limits.rpd: unknown key; did you mean rps?
38:12: tenants.reports.keys[0]: is the same key as tenants.search.keys[1]
39:12: tenants.reports.class: must be critical, interactive, standard or batch; \
did you mean interactive?
40:17: tenants.reports.ptu_weight: must be above 0
41:17: tenants.reports.redis_loss: must be local_share, fail_closed or fail_open
42:3: tenants.?: must be a name: letters, digits, '.', '_' and '-', \
beginning with a letter or digit, at most 63 characters
42:20: tenants.?.ptu_share: must be at most 1
42:35: tenants.?.data_zones: must not be empty
42:39: tenants.?.regions: is empty; leave it out for any
43:26: cache.exact.enabled: must be true or false
44:12: simulator: must be a mapping
45:1: surprise: unknown key
"""


def test_every_mistake_is_named_at_its_place(found: Callable[[str], list[str]]) -> None:
    """Mistakes of form, of rules and of references all come out, sorted, none twice."""
    assert found(BROKEN) == EXPECTED.splitlines()


def test_load_raises_the_same_problems(
    write: Callable[[str], Path], found: Callable[[str], list[str]]
) -> None:
    """`load` and `problems` never disagree."""
    lines = found(BROKEN)
    path = write(BROKEN)
    with pytest.raises(ConfigProblems) as raised:
        load(path, {})
    assert str(raised.value).replace(f"{path}:", "").splitlines() == lines


def test_no_message_shows_a_secret(found: Callable[[str], list[str]]) -> None:
    """Values that are secrets, or might be one in the wrong place, are never repeated."""
    text = "\n".join(found(BROKEN))
    assert CANARY not in text
    assert KEY not in text
    assert MISTYPED not in text


PLACES = (
    "listen: {{host: {0}, port: {0}, workers: {0}, tls: {0}, trusted_proxies: [{0}]}}",
    "redis: {{url: {0}, cluster: {0}}}",
    "ledger: {{retention_days: {0}}}",
    "cache: {{exact: {{enabled: {0}, ttl: {0}}}}}",
    "timeouts: {{total_s: {0}}}",
    "simulator: {{seed: {0}}}",
    "deployments: {{a: {{kind: {0}, api: {0}, api_version: {0}, endpoint: {0}, ptus: {0}}}}}",
    "deployments: {{a: {{kind: {0}, api: openai, auth: {{entra: {0}, api_key: [{0}]}}}}}}",
    "deployments: {{a: {0}}}\nmodels: {{m: {{tiers: [[{0}], {0}, {{a: {0}}}]}}}}",
    "models: {{m: {{tiers: [[{0}]]}}}}\ndeployments: {{a: {{kind: ptu}}}}",
    "models: {{m: {{tiers: [[a]]}}}}\ntenants: {{t: {{models: [{0}], class: {0}, spill: {0}}}}}",
    "tenants: {{t: {{keys: [{0}], limits: {{rpm: {0}}}, ptu_share: {0}, redis_loss: {0}}}}}",
    "{0}",
    "[{0}]",
)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("written", ['"${SECRET}"', '"${file:secret.txt}"'])
def test_a_resolved_secret_is_never_shown(
    place: str, written: str, write: Callable[[str], Path], found: Callable[..., list[str]]
) -> None:
    """Wherever a reference stands, what it resolves to does not come out."""
    (write("").parent / "secret.txt").write_text(CANARY)
    lines = found(place.format(written), {"SECRET": CANARY})
    assert lines
    assert CANARY not in "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "admin: {key: *canary-5f1b7c}",
        "admin: {key: !canary-5f1b7c }",
        "admin: {key: !canary-5f1b7c!x y}",
        'admin: {key: "canary-5f1b7c\\q"}',
        "admin: {key: 'canary-5f1b7c}",
        "admin: {key: @canary-5f1b7c}",
        "admin: {key: canary-5f1b7c: x}",
        "admin: {'${canary-5f1b7c-is-this-the-key!}'}",
        "admin: {key: '${canary-5f1b7c}'}",
    ],
)
def test_a_secret_that_breaks_the_yaml_is_not_shown(
    text: str, found: Callable[[str], list[str]]
) -> None:
    """Passwords may begin with characters that mean something to YAML."""
    lines = found(text)
    assert lines
    assert CANARY not in "\n".join(lines)
