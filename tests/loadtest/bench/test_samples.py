from __future__ import annotations

from pathlib import Path

from loadtest.bench.samples import at_work, shares

CHECKOUT = Path("/src/spillgate")
LOOP = "run (/usr/lib/python3.11/asyncio/runners.py:118)"
SERVING = "main (/src/spillgate/app/main.py:9)"
GATEWAY = "serve (/src/spillgate/app/gateway.py:40)"
UVICORN = "data_received (/env/lib/python3.11/site-packages/uvicorn/protocols/h.py:3)"
MSGSPEC = "encode (/env/lib/python3.11/site-packages/msgspec/json.py:1)"


def test_the_innermost_module_of_ours_is_at_work() -> None:
    """What it calls of a library is its own doing."""
    assert at_work([SERVING, LOOP, UVICORN, GATEWAY, MSGSPEC], CHECKOUT) == "app.gateway"


def test_whoever_started_the_loop_is_not_at_work() -> None:
    """A library that the loop calls works for nobody of ours."""
    assert at_work([SERVING, LOOP, UVICORN], CHECKOUT) == "(uvicorn)"
    assert at_work([SERVING, LOOP], CHECKOUT) == "(the event loop)"
    standard = "_write (/usr/lib/python3.11/asyncio/selector_events.py:7)"
    assert at_work([SERVING, LOOP, standard], CHECKOUT) == "(asyncio)"


def test_a_thread_without_a_loop_is_at_work_itself() -> None:
    """Such as the one that writes the log."""
    writer = "write (/src/spillgate/app/adapters/logs/lines.py:30)"
    thread = "run (/usr/lib/python3.11/threading.py:982)"
    assert at_work([thread, writer], CHECKOUT) == "app.adapters.logs.lines"


def test_shares_are_of_all_samples() -> None:
    """Most first; a line tells how often its stack was seen."""
    lines = [f"{SERVING};{LOOP};{UVICORN} 1", f"{SERVING};{LOOP};{GATEWAY} 2"]
    lines.append(f"{SERVING};{LOOP};{UVICORN};{GATEWAY} 1")
    assert shares(lines, CHECKOUT) == [("app.gateway", 0.75), ("(uvicorn)", 0.25)]
    assert shares([], CHECKOUT) == []
