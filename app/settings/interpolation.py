"""`${NAME}` and `${file:PATH}` within the file's strings; `$${` stands for `${`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from app.settings.fault import Resolved

MAX_FILE_BYTES: Final = 64 * 1024

_TOKEN: Final = re.compile(r"\$\$\{|\$\{(?P<inner>[^}]*)\}|\$\{")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE: Final = "file:"


class InterpolationError(ValueError):
    """A reference that cannot be resolved; the message holds no value."""


class Interpolator:
    """Resolves references from an environment and from files relative to `folder`."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment = environment
        self._folder = folder

    def resolve(self, text: str) -> str:
        """The text with references replaced, as Resolved where there were any.

        What is put in is not searched again. InterpolationError names what is missing.
        """
        if "${" not in text:
            return text
        return Resolved(_TOKEN.sub(self._replacement, text))

    def _replacement(self, match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        inner = match["inner"]
        if inner is None:
            msg = "'${' is not closed; write '$${' for the characters themselves"
            raise InterpolationError(msg)
        if inner.startswith(_FILE):
            return self._file(inner.removeprefix(_FILE))
        return self._variable(inner)

    def _variable(self, name: str) -> str:
        if not _VARIABLE.fullmatch(name):
            msg = "'${…}' must hold the name of an environment variable, or file:PATH"
            raise InterpolationError(msg)
        value = self._environment.get(name)
        if not value:
            msg = f"environment variable {name} is {'not set' if value is None else 'empty'}"
            raise InterpolationError(msg)
        return value

    def _file(self, name: str) -> str:
        try:
            content = _content(self._folder / name)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            msg = f"file {name!a} cannot be read: {reason or 'unknown error'}"
            raise InterpolationError(msg) from None
        if not content:
            msg = f"file {name!a} is empty"
            raise InterpolationError(msg)
        return content


def _content(path: Path) -> str:
    """The file's text without its last line's end; only ordinary files, so nothing blocks."""
    if path.exists() and not path.is_file():
        msg = "it is not an ordinary file"
        raise ValueError(msg)
    with path.open("rb") as stream:
        content = stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        msg = f"it is larger than {MAX_FILE_BYTES} bytes"
        raise ValueError(msg)
    try:
        return content.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        msg = "it is not UTF-8"
        raise ValueError(msg) from None
