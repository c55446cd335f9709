"""A worker as a process: it says why it cannot start, and is gone when it is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from app.adapters.workers.messages import Begin, Failed
from app.adapters.workers.process import WorkerProcess, start_worker
from app.settings import environment

DEADLINE_S = 60.0


@asynccontextmanager
async def started(directory: Path, content: bytes) -> AsyncIterator[WorkerProcess]:
    """A worker of this file, which is in no directory."""
    begin = Begin(1, "a.yaml", content, 1, "127.0.0.1", 0, str(directory))
    worker = await start_worker(begin, environment())
    try:
        yield worker
    finally:
        await worker.release()


async def test_it_says_why_it_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the place in the file; and what is called `app` in its directory is not its code."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    async with started(tmp_path, b"modles: {}\n") as worker, asyncio.timeout(DEADLINE_S):
        failed = await worker.begun()
        assert isinstance(failed, Failed)
        assert failed.code == 2
        assert "a.yaml:1:1: modles: " in failed.message
        assert await worker.ended() == 2


async def test_one_that_ends_without_a_word_has_failed(tmp_path: Path) -> None:
    """How is all that there is to tell."""
    async with started(tmp_path, b"") as worker, asyncio.timeout(DEADLINE_S):
        worker.kill()
        assert await worker.begun() == Failed("worker 1 ended at its start by signal 9", 1)
