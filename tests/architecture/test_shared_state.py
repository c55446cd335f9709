"""What tasks share is not read before an await and written after it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.modules import ROOT, FunctionNode, modules_below


def shared_names(function: FunctionNode) -> set[str]:
    """Names that a function writes and others see."""
    outer = (node for node in ast.walk(function) if isinstance(node, ast.Nonlocal | ast.Global))
    return {name for node in outer for name in node.names}


def is_shared(target: ast.expr, names: set[str]) -> bool:
    return not isinstance(target, ast.Name) or target.id in names


def lost_updates(tree: ast.AST) -> Iterator[int]:
    """Lines like `self.count += await more()`.

    Python reads the left side first: what others add to it during the await is overwritten.
    """
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)):
        names = shared_names(function)
        updates = (node for node in ast.walk(function) if isinstance(node, ast.AugAssign))
        for update in updates:
            waits = any(isinstance(part, ast.Await) for part in ast.walk(update.value))
            if waits and is_shared(update.target, names):
                yield update.lineno


@pytest.mark.parametrize(
    ("line", "is_lost"),
    [
        ("self.count += await more()", True),
        ("self.counts['a'] += 1 + await more()", True),
        ("outer += await more()", True),
        ("inner += await more()", False),
        ("more = await more(); self.count += more", False),
    ],
)
def test_a_lost_update_is_seen(line: str, is_lost: bool) -> None:  # noqa: FBT001  # pytest's way
    """The rule below can fail."""
    source = f"async def f(self, inner):\n    nonlocal outer\n    {line}"
    assert bool(list(lost_updates(ast.parse(source)))) == is_lost


@pytest.mark.parametrize("part", ["app", "tests", "loadtest"])
def test_no_update_is_lost_in_an_await(part: str) -> None:
    """Nothing is added to a count in one statement with an await, neither here nor in tests."""
    found = {
        f"{module.name}:{line}"
        for module in modules_below(ROOT / part)
        for line in lost_updates(module.tree)
    }
    assert not found
