"""Exceptions as text: their types, and where they were raised.

Neither local variables nor, as a rule, the exceptions' words: `KeyError` quotes what was looked
up, `ValueError` what was read, and that may be a prompt or a key. The words of those below are the
interpreter's or the operating system's own, about code or about the machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from traceback import StackSummary, walk_tb
from types import TracebackType
from typing import Final

#: The last ones of each exception: where it was raised, and how that was come by.
MOST_FRAMES: Final = 30
_MOST_EXCEPTIONS: Final = 10
_ABOUT_CODE: Final = (AttributeError, NameError, ImportError)


def traceback_of(error: BaseException) -> str:
    """Causes first, as Python prints them."""
    return "\n".join(_lines(error))


def _lines(error: BaseException) -> Iterator[str]:
    chain = _chain(error)
    for place, each in enumerate(reversed(chain)):
        if place:
            yield "which led to:"
        yield from _frames(each.__traceback__)
        yield _named(each)
        if isinstance(each, BaseExceptionGroup):
            for inner in each.exceptions[:_MOST_EXCEPTIONS]:
                yield f"within it: {_named(inner)}"
                yield from _frames(inner.__traceback__)


def _chain(error: BaseException) -> list[BaseException]:
    """The exception, what caused it, and so on."""
    chain = [error]
    while len(chain) < _MOST_EXCEPTIONS:
        last = chain[-1]
        before = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if before is None or before in chain:
            break
        chain.append(before)
    return chain


def _frames(traceback: TracebackType | None) -> Iterator[str]:
    if traceback is None:
        return
    yield "Traceback (most recent call last):"
    stack = StackSummary.extract(walk_tb(traceback), limit=-MOST_FRAMES, capture_locals=False)
    for text in stack.format():
        yield text.rstrip("\n")


def _named(error: BaseException) -> str:
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    words = _words(error)
    return f"{module}{kind.__qualname__}" + (f": {words}" if words else "")


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"[Errno {error.errno}] {error.strerror}"  # without the file's or host's name
    return str(error) if isinstance(error, _ABOUT_CODE) else ""
