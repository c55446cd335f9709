"""What the sources say of sections and their fields: a field's docstring stands below it.

The interpreter drops the latter, so they are read from the source, and only for documents.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

from pydantic import BaseModel


def section_docstring(section: type[BaseModel]) -> str:
    """What a section's class says of it, on one line; empty where it says nothing."""
    return _on_one_line(section.__doc__ or "")


def field_docstrings(section: type[BaseModel]) -> dict[str, str]:
    """By attribute: what stands below the fields of a section and of those that it extends."""
    found: dict[str, str] = {}
    for each in reversed(section.__mro__):
        if each is not BaseModel and issubclass(each, BaseModel):
            found.update(_own(each))
    return found


def _own(section: type[BaseModel]) -> Iterator[tuple[str, str]]:
    [tree] = ast.parse(inspect.getsource(section)).body
    assert isinstance(tree, ast.ClassDef)  # noqa: S101  # it is a class's source
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, _on_one_line(text)
            case _:
                pass


def _on_one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
