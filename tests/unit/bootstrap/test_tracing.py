"""What of traces follows a reload, and who deployments are to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.bootstrap.running import running
from app.bootstrap.tracing import READ_AT_START, server_of
from app.domain.routing.deployment import Api, Deployment, Kind
from app.domain.tracing.span_attributes import Server
from app.settings import Settings, Tracing, build

#: Of the section: what is decided anew for each request.
FOLLOWS = {"sample", "caller_sample", "always", "most_per_s", "content"}


def settings_of(redis_url: str, archive: Path, **tracing: object) -> Settings:
    deployment = {"kind": "paygo", "endpoint": "https://x.openai.azure.com", "model": "gpt-4o"}
    return build(
        {
            "redis": {"url": redis_url},
            "ledger": {"archive": str(archive)},
            "listen": {"port": 0, "admin_port": 0},
            "timeouts": {"drain_lag_s": 0, "drain_s": 1},
            "deployments": {"a": {**deployment, "auth": {"api_key": "k"}}},
            "models": {"gpt-4o": {"tiers": [["a"]]}},
            "tracing": {"endpoint": "http://127.0.0.1:9", **tracing},
        }
    )


def test_every_setting_follows_a_reload_or_waits() -> None:
    """None is forgotten."""
    named = {path.removeprefix("tracing.") for path in READ_AT_START}
    assert named | FOLLOWS == set(Tracing.model_fields)
    assert not named & FOLLOWS


async def test_a_reload_puts_the_ratios_in_force_and_names_what_waits(
    redis_url: str, tmp_path: Path
) -> None:
    """Where to send to is a matter of the next start; never its value is told."""
    changed = settings_of(
        redis_url,
        tmp_path,
        sample=0.5,
        always={"slow_s": 0},
        content={"allowed": True, "max_chars": 77},
        headers={"x-token": "secret"},
    )
    async with running(settings_of(redis_url, tmp_path)) as process:
        with capture_logs() as logs:
            await process.reload(changed)
        traced = process.resources.traced
    assert traced is not None
    assert traced.sampler.policy.ratio == 0.5
    assert traced.sampler.policy.slow_s == float("inf")
    assert traced.most_content == 77
    assert traced.export.servers.keys() == {"a"}
    waiting = [each["settings"] for each in logs if "waits" in each["event"]]
    assert waiting == [["tracing.headers"]]
    assert "secret" not in repr(logs)


@pytest.mark.parametrize(
    ("endpoint", "api", "server"),
    [
        (
            "https://x.openai.azure.com", Api.V1,
            Server("x.openai.azure.com", 443, "gpt-4o", "azure.ai.openai", "eastus"),
        ),
        (
            "http://10.0.0.1:8000/v1", Api.OPENAI,
            Server("10.0.0.1", 8000, "gpt-4o", "openai", "eastus"),
        ),
    ],
)  # fmt: skip
def test_a_deployment_is_a_server_to_its_callers(endpoint: str, api: Api, server: Server) -> None:
    """By its host, its port, and whose API it speaks."""
    made = Deployment("a", Kind.PAYGO, endpoint, api, "a-4o", "gpt-4o", region="eastus")
    assert server_of(made) == server
