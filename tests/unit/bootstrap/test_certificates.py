"""What `check` says of certificates that a listener is to serve with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.bootstrap.certificates import certificate_warnings
from app.settings import build
from tests.fakes.certificates import Authority

MINIMAL = {
    "deployments": {
        "a": {
            "kind": "paygo",
            "endpoint": "https://x.openai.azure.com",
            "model": "gpt-4o",
            "auth": {"api_key": "k"},
        }
    },
    "models": {"gpt-4o": {"tiers": [["a"]]}},
}


def warned(**listen: Any) -> list[str]:
    return list(certificate_warnings(build(MINIMAL | {"listen": listen})))


def test_files_that_are_missing_here_are_named(tmp_path: Path) -> None:
    """By their keys, of both listeners; where there is no TLS there is nothing to say."""
    tls = {"cert": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    said = warned(tls=tls, admin_tls=tls)
    assert [each.split(": ")[1] for each in said] == ["listen.tls.cert", "listen.admin_tls.cert"]
    assert all(each.endswith("cannot be read: No such file or directory") for each in said)
    assert warned() == []


@pytest.mark.parametrize("version", ["1.3", 1.3, "1.2"])
def test_files_that_can_be_used_are_no_warning(tmp_path: Path, version: object) -> None:
    """YAML reads the version as a number, where it is not in quotes."""
    certificate, key = Authority(tmp_path).issued("127.0.0.1")
    (tmp_path / "tls.crt").write_bytes(certificate)
    (tmp_path / "tls.key").write_bytes(key)
    tls = {"cert": str(tmp_path / "tls.crt"), "key": str(tmp_path / "tls.key")}
    assert warned(tls=tls | {"min_version": version}) == []
