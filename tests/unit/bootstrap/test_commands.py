"""What a command starts ends with it, and what keeps it from going on is said in one line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from app.adapters.workers.messages import Failed
from app.adapters.workers.supervisor import WorkerFailed
from app.bootstrap.commands import run
from app.bootstrap.config_file import ConfigFile
from app.bootstrap.loop import beside
from app.bootstrap.running import running
from app.cli.commands import Addresses
from app.settings import Settings, build


async def _for_ever(ended: list[str]) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        ended.append("ended")


async def _fail(error: Exception) -> None:
    await asyncio.sleep(0)
    raise error


async def test_work_ends_with_the_block() -> None:
    """Nothing is left running, and its end is waited for."""
    ended: list[str] = []
    async with beside(_for_ever(ended), _for_ever(ended)):
        await asyncio.sleep(0)
        assert ended == []
    assert ended == ["ended", "ended"]


async def test_a_failure_of_the_block_comes_out_as_itself() -> None:
    """As if there were nothing beside it."""
    ended: list[str] = []
    failure = OSError("no more space")
    with pytest.raises(OSError, match="no more space") as raised:
        async with beside(_for_ever(ended)):
            await _fail(failure)
    assert raised.value is failure
    assert ended == ["ended"]


async def test_a_failure_beside_the_block_ends_it_and_comes_out_as_itself() -> None:
    """The block is not left waiting for what will not come."""
    ended: list[str] = []
    failure = OSError("no more watches")
    with pytest.raises(OSError, match="no more watches") as raised:
        async with beside(_for_ever(ended), _fail(failure)):
            await asyncio.Event().wait()
    assert raised.value is failure
    assert ended == ["ended"]


async def test_being_cancelled_stays_a_cancellation() -> None:
    """And ends what runs beside."""
    ended: list[str] = []

    async def both() -> None:
        async with beside(_for_ever(ended)):
            await asyncio.Event().wait()

    task = asyncio.create_task(both())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert ended == ["ended"]


def test_a_failure_inside_a_running_gateway_is_one_line(
    redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands between it and the command: shared holds, listeners, work beside."""
    listen = {"port": 0, "admin_port": 0}
    timeouts = {"drain_lag_s": 0, "drain_s": 1}
    settings = build(
        _config() | {"redis": {"url": redis_url}, "listen": listen} | {"timeouts": timeouts}
    )

    async def main() -> None:
        async with running(settings), beside(_for_ever([])):
            raise OSError("the watch on the config is gone")

    assert run(main()) == 1
    assert capsys.readouterr().err == "the watch on the config is gone\n"


def test_a_failing_traffic_or_watch_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What runs beside a command is part of it."""

    async def main() -> None:
        async with beside(_fail(OSError("no more watches"))):
            await asyncio.Event().wait()

    assert run(main()) == 1
    assert capsys.readouterr().err == "no more watches\n"


def test_a_worker_that_cannot_start_is_what_a_single_process_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its words alone, and its exit code."""
    failed = WorkerFailed(Failed("cannot listen on 127.0.0.1:80: Permission denied", 2))

    async def main() -> None:
        async with beside(_fail(failed)):
            await asyncio.Event().wait()

    assert run(main()) == 2
    assert capsys.readouterr().err == "cannot listen on 127.0.0.1:80: Permission denied\n"


def _config() -> dict[str, object]:
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    return {
        "admin": {"key": "an-admin-key-of-tests"},
        "deployments": {"paygo": deployment},
        "models": {"gpt-4o": {"tiers": [["paygo"]]}},
    }


class Recorder:
    """A process that keeps what it is given, or refuses it."""

    def __init__(self, *failures: Exception) -> None:
        self.ports: list[int] = []
        self._failures = list(failures)

    async def reload(self, settings: Settings) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.ports.append(settings.listen.port)

    async def has(self, *ports: int) -> None:
        """Wait until it was given configurations with these ports, in this order."""
        async with asyncio.timeout(20):
            while self.ports != list(ports):
                await asyncio.sleep(0.01)


class Slow(Recorder):
    """Waits at the first until it may go on; keeps what was said to be in force after each."""

    def __init__(self, content: Callable[[], bytes] = bytes) -> None:
        super().__init__()
        self.asked, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.contents: list[bytes] = []
        self._content = content

    async def reload(self, settings: Settings) -> None:
        self.asked.set()
        await self.may_go_on.wait()
        await super().reload(settings)
        self.contents.append(self._content())


def _written(path: Path, port: int) -> Path:
    path.write_text(yaml.safe_dump(_config() | {"listen": {"port": port}}))
    return path


@asynccontextmanager
async def _followed(config: Path, process: Recorder) -> AsyncIterator[None]:
    """The file has been loaded and is followed from then on."""
    file = ConfigFile(config, Addresses())
    file.load()
    async with beside(file.follow(process)):
        yield


class TestConfigFile:
    """What changes is in force soon, however it is changed."""

    async def test_a_mounted_config_map_is_followed(self, tmp_path: Path) -> None:
        """Kubernetes swaps `..data`, which the file's own name links through."""

        def mount(version: str, port: int) -> None:
            (tmp_path / version).mkdir()
            _written(tmp_path / version / "spillgate.yaml", port)
            (tmp_path / "..data_tmp").symlink_to(version)
            (tmp_path / "..data_tmp").rename(tmp_path / "..data")

        mount("..v1", 1)
        config = tmp_path / "spillgate.yaml"
        config.symlink_to("..data/spillgate.yaml")
        process = Recorder()
        async with _followed(config, process):
            mount("..v2", 2)
            await process.has(2)
            mount("..v3", 3)
            await process.has(2, 3)

    async def test_a_file_is_followed_wherever_it_links_to(self, tmp_path: Path) -> None:
        """No event names it, and nothing in its directory changes."""
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "here").mkdir()
        real = _written(tmp_path / "elsewhere" / "real.yaml", 1)
        config = tmp_path / "here" / "spillgate.yaml"
        config.symlink_to(real)
        process = Recorder()
        async with _followed(config, process):
            _written(real, 2)
            await process.has(2)

    async def test_written_and_replaced_files_are_followed(self, tmp_path: Path) -> None:
        """A file that says what it said is no change, nor is another beside it."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        process = Recorder()
        async with _followed(config, process):
            _written(config, 2)
            await process.has(2)
            _written(config, 2)
            _written(tmp_path / "other.yaml", 7)
            _written(tmp_path / "new.yaml", 3).rename(config)
            await process.has(2, 3)

    async def test_what_changed_before_the_watch_began_is_seen(self, tmp_path: Path) -> None:
        """The gateway takes a moment to start after it has read the file."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        file, process = ConfigFile(config, Addresses()), Recorder()
        file.load()
        _written(config, 2)
        async with beside(file.follow(process)):
            await process.has(2)

    async def test_a_mistake_leaves_the_last_one_in_force(self, tmp_path: Path) -> None:
        """It is told once, and what is right again is taken."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        process = Recorder()
        with capture_logs() as logs:
            async with _followed(config, process):
                config.write_text("deployments: {")
                async with asyncio.timeout(20):
                    while not logs:
                        await asyncio.sleep(0.01)
                _written(config, 3)
                await process.has(3)
        (said,) = logs
        assert (said["event"], said["log_level"]) == ("config not reloaded", "error")
        assert "spillgate.yaml:1" in said["problems"][0]

    async def test_what_could_not_be_started_with_is_not_put_in_force(self, tmp_path: Path) -> None:
        """Nobody could use the owner's key any more, and the next start would fail."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        without = {name: each for name, each in _config().items() if name != "admin"}
        file, process = ConfigFile(config, Addresses()), Recorder()
        file.load()
        config.write_text(yaml.safe_dump(without))
        with capture_logs() as logs:
            await file.reload(process)
        assert (process.ports, file.in_force.is_last) == ([], False)
        assert [log["event"] for log in logs] == ["config not reloaded"]
        assert "spillgate.yaml:1:1: admin.key: is missing" in logs[0]["problems"][0]

    async def test_retirements_are_logged_at_the_start_and_each_day(self, tmp_path: Path) -> None:
        """Once a day while they are near, louder when they are past, and when the file changes."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        lasting = "model: gpt-4o\n"
        config.write_text(
            config.read_text().replace(lasting, f"{lasting}    retires: 2026-12-31\n")
        )
        days, process = [date(2026, 12, 30)], Recorder()
        file = ConfigFile(config, Addresses(), lambda: days[-1])
        file.load()

        async def told(*expected: tuple[str, str, int]) -> None:
            async with asyncio.timeout(20):
                while len(logs) < len(expected):
                    await asyncio.sleep(0.01)
            assert [(log["event"], log["log_level"], log["days_left"]) for log in logs] == [
                *expected
            ]

        first = ("deployment retires", "warning", 1)
        over = ("deployment retired", "error", 0)
        with capture_logs() as logs:
            async with beside(file.follow(process)):
                await told(first)
                days.append(date(2026, 12, 31))
                await told(first, over)
                _written(config, 2)
                await process.has(2)
                _written(config, 3)
                await process.has(2, 3)  # so it has looked since the first of both
                await told(first, over)

    async def test_a_failure_to_reload_ends_nothing(self, tmp_path: Path) -> None:
        """Whatever it is, it is logged as an error with what raised it."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        process = Recorder(RuntimeError("no credential"), OSError("no disk"))
        with capture_logs() as logs:
            file = ConfigFile(config, Addresses())
            await file.reload(process)
            await file.reload(process)
            await file.reload(process)
        assert process.ports == [1]
        assert [(log["event"], log["log_level"]) for log in logs] == [
            ("config not reloaded", "error")
        ] * 2
        assert all(log["exc_info"] for log in logs)

    async def test_a_mistake_meanwhile_is_the_last_word(self, tmp_path: Path) -> None:
        """SIGHUP and the watch ask each for itself; the file that is put in force says so."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        file, process = ConfigFile(config, Addresses()), Slow()
        async with asyncio.TaskGroup() as reloads, asyncio.timeout(20):
            reloads.create_task(file.reload(process))
            await process.asked.wait()
            config.write_text("deployments: {")
            reloads.create_task(file.reload(process))
            await asyncio.sleep(0)
            process.may_go_on.set()
        assert (process.ports, file.in_force.is_last) == ([1], False)

    async def test_what_comes_meanwhile_is_not_said_to_be_in_force(self, tmp_path: Path) -> None:
        """Workers are handed what is: not the next file, which may yet be refused."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        first, file = config.read_bytes(), ConfigFile(config, Addresses())
        process = Slow(lambda: file.in_force.content)
        async with asyncio.TaskGroup() as reloads, asyncio.timeout(20):
            reloads.create_task(file.reload(process))
            await process.asked.wait()
            _written(config, 2)
            reloads.create_task(file.reload(process))
            await asyncio.sleep(0)
            process.may_go_on.set()
        assert process.contents == [first, config.read_bytes()]
        assert (process.ports, file.in_force.is_last) == ([1, 2], True)

    def test_the_command_line_stays_above_the_file(self, tmp_path: Path) -> None:
        """At every load: `--port` is not a change of the file."""
        config = _written(tmp_path / "spillgate.yaml", 1)
        file = ConfigFile(config, Addresses(port=9999, admin_host="::1"))
        assert file.load() == file.load()
        assert (file.load().listen.port, file.load().listen.admin_host) == (9999, "::1")
