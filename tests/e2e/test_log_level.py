"""What the log writes follows the configuration, and what operators say, on all workers."""

from __future__ import annotations

import io

from app.adapters.logs import configure_logs
from app.domain.identity.directory import Actor, Change, EntryKind, LogsEntry, Role
from app.settings.logs import LogRules
from tests.e2e.sinks import OWNER
from tests.e2e.stack import eventually, ptu_and_paygo, stack
from tests.e2e.test_directory import other_worker
from tests.fakes.changed import replace


async def test_a_level_is_in_force_everywhere_until_it_ends(redis_url: str) -> None:
    """Told here, another worker has it; told there, this one has it, a reload or none."""
    with configure_logs("info", io.StringIO()) as logs:
        async with (
            stack(redis_url, ptu_and_paygo, logs=logs) as team,
            other_worker(redis_url) as other,
        ):
            level = logs.threshold
            url = f"{team.process.admin_url}/admin/v1/logs"
            async with team.http.put(url, json={"level": "debug"}, headers=OWNER) as answer:
                told = await answer.json()
                assert (answer.status, told["in_force"]["workers"]) == (200, 2)
            await eventually(lambda: level.name == "debug")
            assert other.current.logs is not None
            assert other.current.logs.level == "debug"

            settings = team.process.current.settings
            quiet = settings.model_copy(update={"logs": LogRules(level="error")})
            await team.process.reload(quiet)
            entry = LogsEntry("warning", until=other.current.logs.until)
            change = Change(EntryKind.LOGS, "logs", replace(entry, version=1))
            await other.change([change], Actor("ada", Role.OPERATOR))
            await eventually(lambda: level.name == "warning")

            async with team.http.put(url, json={"level": "debug", "for_s": 0.1}, headers=OWNER):
                await eventually(lambda: level.name == "error")
