"""A configuration's file as text: what of it is sealed, and the same file under the newest key.

Nothing but the sealed values themselves is changed: comments, order and quotes stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import NamedTuple

from app.settings.fault import Path
from app.settings.interpolation import InterpolationError, Interpolator
from app.settings.model import Settings
from app.settings.overrides import apply_overrides
from app.settings.sealed import MasterKeys, Random, SealError, key_id_of
from app.settings.tree import read_tree
from app.settings.unsealing import is_secret, master_keys_of, record_of, sealed_in


class SealedValue(NamedTuple):
    """One sealed value: its record, its master key's id where that can be read, what is wrong."""

    record: str
    key_id: str
    problem: str = ""
    is_here: bool = True  # in the file itself, not in a variable or another file


@dataclass(frozen=True, slots=True)
class Rewrapped:
    """The file's text under the newest key, and what could not be changed with it."""

    text: str
    changed: tuple[str, ...]
    elsewhere: tuple[str, ...]  # in variables and other files


class SealedFile:
    """A configuration's file, of which nothing but what is sealed is looked at."""

    def __init__(self, text: str, environment: Mapping[str, str], folder: FilePath) -> None:
        """Raises UnusableYamlError."""
        self._text = text
        resolved = read_tree(text, _resolving(Interpolator(environment, folder)))
        raw = resolved.value if isinstance(resolved.value, dict) else {}
        apply_overrides(raw, environment, Settings)
        self.keys: MasterKeys = master_keys_of(raw)
        self._sealed = dict(sealed_in(raw))
        self._here = dict(sealed_in(read_tree(text, str).value))

    def values(self) -> Iterator[SealedValue]:
        """Each, and whether it opens."""
        for path, value in self._sealed.items():
            record, is_here = record_of(path), self._here.get(path) == value
            try:
                key_id = self._opened(path, value)
            except SealError as error:
                yield SealedValue(record, "", str(error), is_here)
            else:
                yield SealedValue(record, key_id, "", is_here)

    def _opened(self, path: Path, value: str) -> str:
        """The id of the master key that opens it."""
        if not is_secret(path, Settings):
            raise SealError("is no place of a secret")
        self.keys.open(value, record_of(path))
        return key_id_of(value)

    def rewrapped(self, random: Random) -> Rewrapped:
        """Raises SealError, naming the record, where one does not open: then nothing is changed."""
        text, changed, elsewhere = self._text, list[str](), list[str]()
        for path, value in self._sealed.items():
            record = record_of(path)
            new = _named(record, lambda: self.keys.rewrap(value, record, random))  # noqa: B023  # called at once
            if new == value:
                continue
            if self._here.get(path) != value:
                elsewhere.append(record)
            elif text.count(value) == 1:
                text = text.replace(value, new)
                changed.append(record)
            else:
                raise SealError(f"{record}: does not stand in the file in one piece")
        return Rewrapped(text, tuple(changed), tuple(elsewhere))


def _named(record: str, work: Callable[[], str]) -> str:
    try:
        return work()
    except SealError as error:
        raise SealError(f"{record}: {error}") from None


def _resolving(interpolator: Interpolator) -> Callable[[str], str]:
    """References that lead nowhere are left as they are: other commands tell of them."""

    def resolve(text: str) -> str:
        try:
            return interpolator.resolve(text)
        except InterpolationError:
            return text

    return resolve
