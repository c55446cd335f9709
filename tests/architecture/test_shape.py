"""The code keeps its shape: small functions, small modules, each with a stated job and its tests.

The numbers are those of well-read async and proxy code bases (httpcore, h11, linkerd2-proxy): a
function of about seven lines, nine in ten within thirty-five.
"""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median, quantiles
from typing import Final

import pytest

from tests.architecture.modules import ROOT, FunctionNode, Module, modules_below

APP: Final = ROOT / "app"
UNIT_TESTS: Final = ROOT / "tests" / "unit"

MEDIAN_FUNCTION_LINES: Final = 10
P90_FUNCTION_LINES: Final = 35
MAX_FUNCTION_LINES: Final = 60
MAX_MODULE_LINES: Final = 400

# Layers without I/O: what they do can be tested without opening anything. `settings` is not among
# them: its modules are steps of `load`, and its tests go through that.
UNIT_TESTABLE: Final = (
    "errands.py", "errors.py", "gateway.py", "domain", "wire", "stages", "planner"
)  # fmt: skip

# Modules of those layers without a test file of their own, each with the reason.
# An entry that is not needed any more fails.
TESTED_ELSEWHERE: Final[dict[str, str]] = {}


def length(function: FunctionNode) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@pytest.fixture(scope="module")
def app() -> list[Module]:
    return modules_below(APP)


def test_functions_are_short(app: list[Module]) -> None:
    """Most functions fit a glance, and none needs scrolling."""
    lengths = {
        f"{module.name}:{function.lineno} {function.name}": length(function)
        for module in app
        for function in module.functions
    }
    too_long = {place: lines for place, lines in lengths.items() if lines > MAX_FUNCTION_LINES}

    assert not too_long
    assert median(lengths.values()) <= MEDIAN_FUNCTION_LINES
    assert quantiles(lengths.values(), n=10)[-1] <= P90_FUNCTION_LINES


def test_modules_are_short(app: list[Module]) -> None:
    """No module has grown into several."""
    assert not {module.name: module.lines for module in app if module.lines > MAX_MODULE_LINES}


def test_every_module_states_its_job_first(app: list[Module]) -> None:
    """The first line of a module is a sentence that says what the module is for."""
    silent = [
        module.name for module in app if not (ast.get_docstring(module.tree) or "").split("\n")[0]
    ]
    assert not silent


def mirror_of(module: Module) -> Path:
    """Where the unit tests of `app/x/y.py` are: `tests/unit/x/test_y.py`."""
    path = module.path.relative_to(APP)
    return UNIT_TESTS / path.parent / f"test_{path.name}"


def needs_unit_tests(module: Module) -> bool:
    """A module that only declares values, or gathers names for import, has nothing to run."""
    layer = module.path.relative_to(APP).parts[0]
    is_package = module.path.name == "__init__.py"
    return layer in UNIT_TESTABLE and not is_package and any(module.functions)


def test_unit_tests_mirror_the_code(app: list[Module]) -> None:
    """Whoever opens a module without I/O knows where its tests are."""
    untested = {
        module.name for module in app if needs_unit_tests(module) and not mirror_of(module).exists()
    }
    assert sorted(untested - TESTED_ELSEWHERE.keys()) == []
    assert sorted(TESTED_ELSEWHERE.keys() - untested) == [], "exceptions that are no longer needed"


def test_every_test_says_what_it_proves() -> None:
    """A failing test names the promise that was broken."""
    silent = [
        f"{module.name}:{function.lineno} {function.name}"
        for module in modules_below(ROOT / "tests")
        for function in module.functions
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent
