"""What can be wrong with the embedded Redis, said so that an operator knows what to do."""

from __future__ import annotations

from pathlib import Path

from app.adapters.redis.embedded_binaries import INSTALL_HINT


class EmbeddedRedisError(RuntimeError):
    """The embedded server cannot be used.

    EmbeddedRedisError
    ├── EmbeddedRedisUnavailable   it is not installed
    ├── EmbeddedRedisBusy          another process uses its directory
    └── EmbeddedRedisFailed        it did not start
    """


class EmbeddedRedisUnavailable(EmbeddedRedisError):
    """No server is installed for this machine."""

    def __init__(self) -> None:
        super().__init__(
            "no embedded Redis server is installed for this machine: "
            f"{INSTALL_HINT}, or set `redis.url` to a Redis of your own"
        )


class EmbeddedRedisBusy(EmbeddedRedisError):
    """Another process has a server on the directory; `owner` names it, or is empty."""

    def __init__(self, directory: Path, owner: str) -> None:
        super().__init__(
            f"{directory} is in use by the embedded Redis of another process"
            f"{f' ({owner})' if owner else ''}: stop it, use another directory, "
            "or set `redis.url` for both to share one Redis"
        )


class EmbeddedRedisFailed(EmbeddedRedisError):
    """The server ended or stayed silent; `reason` completes "the embedded Redis ..."."""

    def __init__(self, reason: str, log: Path) -> None:
        super().__init__(f"the embedded Redis {reason}; its log is {log}")
