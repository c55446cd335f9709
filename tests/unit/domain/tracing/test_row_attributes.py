from __future__ import annotations

from app.domain.ledger.ledger_row import RowKind
from app.domain.tracing import attribute_names as names
from app.domain.tracing.row_attributes import row_attributes
from tests.fakes.ledger_rows import ledger_row


def test_that_names_are_those_of_spans() -> None:
    """Who looks for a tenant or a model finds both; what a row has not is left out."""
    row = ledger_row(
        "a", request_id="req_1", status=200, flags=("late",), tags={"team": "x"}, nano_usd=5 * 10**8
    )
    found = row_attributes(7, row)
    assert found[names.REQUEST_ID] == "req_1"
    assert (found[names.INPUT_TOKENS], found[names.OUTPUT_TOKENS]) == (5, 3)
    assert (found[names.COST], found["spillgate.cost.nano_usd"]) == (0.5, 5 * 10**8)
    assert (found[names.FLAGS], found["spillgate.tag.team"]) == (("late",), "x")
    assert found["spillgate.ledger.line"] == 7
    assert names.ERROR_CODE not in found
    assert None not in found.values()


def test_that_what_was_not_charged_says_so() -> None:
    """Amounts of a refused request are none of a bill."""
    assert row_attributes(1, ledger_row("a"))["spillgate.charged"] is True
    refused = ledger_row("a", kind=RowKind.REFUSED)
    assert row_attributes(1, refused)["spillgate.charged"] is False


def test_that_a_correction_says_of_what() -> None:
    """By the id of the other row."""
    found = row_attributes(1, ledger_row("b", corrects="a", output=-7))
    assert (found["spillgate.ledger.corrects"], found[names.OUTPUT_TOKENS]) == ("a", -7)
    assert "spillgate.ledger.corrects" not in row_attributes(1, ledger_row("a"))


def test_that_an_error_is_told_by_its_code() -> None:
    """The word that metrics have for it takes more than a row to know."""
    found = row_attributes(1, ledger_row("a", kind=RowKind.REFUSED, error="invalid_api_key"))
    assert found[names.ERROR_CODE] == "invalid_api_key"
    assert names.ERROR_TYPE not in found
