from __future__ import annotations

import msgspec
import pytest

from loadtest.bench.agreement import Counted
from loadtest.bench.payloads import TOKENS

TEN = Counted(10, 10, 10 * TOKENS, 10, 10, 10 * TOKENS, 0)


def test_equal_counts_agree() -> None:
    """Requests in five books, tokens in two, nothing held back."""
    assert TEN.differs_from(10) == []


@pytest.mark.parametrize("name", Counted.__struct_fields__)
def test_a_single_one_that_differs_is_named(name: str) -> None:
    """By one request, or one token."""
    one_more = msgspec.structs.replace(TEN, **{name: getattr(TEN, name) + 1})
    (found,) = one_more.differs_from(10)
    assert found.startswith(f"{name} ")


def test_where_nothing_was_answered_nothing_is_proven() -> None:
    """All books are empty, which is as it should be, and says nothing of the gateway."""
    nothing = Counted(0, 0, 0, 0, 0, 0, 0)
    assert nothing.differs_from(0) == ["nothing was answered"]
