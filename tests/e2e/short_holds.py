"""The `spillgate` command, whose holds end three seconds after they were last extended.

python -m tests.e2e.short_holds serve --config spillgate.yaml
"""

from __future__ import annotations

from functools import partial
from typing import Final
from unittest.mock import patch

from app.adapters.accounts import accounts
from app.adapters.redis.account import AccountScript
from app.bootstrap import state
from app.main import main

TTL_S: Final = 3.0

if __name__ == "__main__":
    with (
        patch.object(state, "AccountScript", partial(AccountScript, ttl_s=TTL_S)),
        patch.object(accounts, "HEARTBEAT_S", TTL_S / 10),
    ):
        main()
