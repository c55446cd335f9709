"""What a lock installs on one platform: names, versions, licences.

`packaging` comes with pytest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = ROOT / "requirements" / "image.txt"
#: Where the image's packages are installed: its base, on the processors that it is built for.
IN_THE_IMAGE: Final[Mapping[str, str]] = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
#: What licences were called before they had SPDX's names.
_SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


@dataclass(frozen=True, slots=True)
class Locked:
    """One pin; `line` is all of it, hashes included."""

    name: str
    version: str
    line: str

    @property
    def licence(self) -> str | None:
        """As an SPDX expression, where this environment has the package; else None.

        What has several licences without saying how they go together has one or the other.
        """
        try:
            told = metadata(self.name)
        except PackageNotFoundError:
            return None
        if expression := told.get_all("License-Expression"):
            return str(expression[0])
        classifiers = told.get_all("Classifier") or []
        names = [each.split(" :: ")[-1] for each in classifiers if each.startswith("License :: ")]
        names = names or [str(each) for each in told.get_all("License") or []]
        return " OR ".join(sorted(_SPDX.get(name, name) for name in names))


def locked(lock: Path, environment: Mapping[str, str] = IN_THE_IMAGE) -> Iterator[Locked]:
    """The pins that are installed where markers see this environment."""
    text = lock.read_text("utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        asked = Requirement(re.split(r"\s--hash=", line, maxsplit=1)[0])
        if asked.marker is None or asked.marker.evaluate(dict(environment)):
            (pin,) = asked.specifier
            yield Locked(asked.name, pin.version, re.sub(r"\s*;.*?(?=\s--hash=)", "", line))
