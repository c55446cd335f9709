"""Whether every package of the image is under a licence that its users may take it under.

`python -m tests.tools.licences` lists them, and ends with 1 where one is not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Final

from tests.tools.locked import IMAGE, Locked, locked

#: Permissive ones, and MPL-2.0, whose terms end with its own files.
ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Zlib",
    }
)
_WORD: Final = re.compile(r"[^\s()]+")


def allowed(licence: str) -> bool:
    """Whether an SPDX expression can be met by allowed licences: all of AND, one of OR."""
    choices = re.split(r"\s+OR\s+", licence) if "(" not in licence else [licence]
    return any(_all_allowed(choice) for choice in choices)


def _all_allowed(part: str) -> bool:
    words = [word for word in _WORD.findall(part) if word not in {"AND", "OR"}]
    return bool(words) and set(words) <= ALLOWED


def refused(pins: Iterable[Locked]) -> list[str]:
    """What is wrong, a line for each package."""
    found = []
    for pin in pins:
        if pin.licence is None:
            found.append(f"{pin.name} {pin.version}: not installed here, so nobody has looked")
        elif not allowed(pin.licence):
            found.append(f"{pin.name} {pin.version}: {pin.licence or 'says no licence'}")
    return found


def main() -> int:
    """List them."""
    pins = list(locked(IMAGE))
    for pin in pins:
        sys.stdout.write(f"{pin.name:44} {pin.version:14} {pin.licence}\n")
    wrong = refused(pins)
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
