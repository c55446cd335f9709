"""Makes the keys of a first start: an admin's and the tenant `demo`'s, one file each.

Run by docker-compose.yml's service `keys` before the gateway. What is there already stays.
"""

# ruff: noqa: INP001  # a script that a container mounts, and no package

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

from app.cli.key import new_key


def main(directory: Path) -> None:
    """Write what is missing, readable by its owner alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, make in {"admin": lambda: secrets.token_urlsafe(32), "demo": new_key}.items():
        path = directory / name
        if not path.exists():
            part = path.with_suffix(".part")
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(make())
            part.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
