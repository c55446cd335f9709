"""With whose token Azure Resource Manager is asked."""

from __future__ import annotations

import pytest

from app.bootstrap.drafting import found
from app.cli.init import Login
from app.planner.drafting.found import NotTold


class NoLogin:
    """A credential that nobody has."""

    def __init__(self) -> None:
        self.scopes: list[str] = []
        self.closed = False

    async def get_token(self, scope: str, /) -> object:
        self.scopes.append(scope)
        raise RuntimeError("Please run 'az login'.\nA page of advice.")

    async def close(self) -> None:
        self.closed = True


def test_that_without_a_login_one_line_says_so() -> None:
    """Of the cloud that was asked for; the credential is closed."""
    source = NoLogin()
    with pytest.raises(NotTold, match=r"no Azure login could be used: Please run 'az login'.$"):
        found(Login(None, "https://management.chinacloudapi.cn"), lambda: source)  # type: ignore[arg-type,return-value]  # it has no token to return
    assert source.scopes == ["https://management.chinacloudapi.cn/.default"]
    assert source.closed
