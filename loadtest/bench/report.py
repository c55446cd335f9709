"""The report of a run: a page with verdicts, tables and plots, made of the raw results alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from loadtest.bench.lane_names import CLOSED, FEW_STREAMS, LARGE, MANY_STREAMS, ONE, OPEN
from loadtest.bench.plots import Row, plot, told
from loadtest.bench.quantiles import Spread
from loadtest.bench.results import DIRECT, OURS, UPSTREAM_AT_LEAST, Run
from loadtest.bench.verdicts import added_ms, verdicts

PAGE: Final = "results.md"
RAW: Final = "results.json"
SETTINGS: Final = "settings.md"
#: Of files in pages, whose blocks are run or say why not.
_READ_BY_OTHERS: Final = "<!-- not run: another program -->"
_US: Final = 1e6
#: A machine on which others had more than this part of the gateway's core was not idle.
_QUIET: Final = 0.1

#: By file: what is drawn, of which lane's which figure, in what unit.
_PLOTS: Final = {
    "requests": ("Requests a second, 32 connections", CLOSED, "per_s", "requests a second"),
    "processor": ("Processor time of a request", CLOSED, "cpu_us", "microseconds"),
    "frames": ("Processor time of a frame, 400 streams", MANY_STREAMS, "cpu_us", "microseconds"),
}


def write(run: Run, directory: Path) -> None:
    """All of its files."""
    directory.mkdir(parents=True, exist_ok=True)
    run.write(directory / RAW)
    drawn = []
    for name, (title, lane, figure, unit) in _PLOTS.items():
        if rows := _rows(run, lane, figure):
            (directory / f"{name}.svg").write_text(plot(title, unit, rows))
            drawn.append(f"![{title}]({name}.svg)")
    (directory / PAGE).write_text("\n".join(_page(run, drawn)) + "\n")
    (directory / SETTINGS).write_text("\n".join(_settings(run)) + "\n")


def _rows(run: Run, lane: str, figure: str) -> list[Row]:
    found = []
    for name, about in run.contenders.items():
        spread = run.spread(name, lane, figure)
        if spread and spread.least > 0 and name != DIRECT:
            found.append(Row(about.title, spread, ours=name.startswith(OURS)))
    return found


def _page(run: Run, drawn: Sequence[str]) -> Iterator[str]:
    yield from ("# Results", "", "Written by `make bench`; do not edit.", "")
    yield from _about(run)
    yield from ("", "## Verdicts", "", *verdict_lines(run))
    yield from ("", "## Requests on 32 connections", "", *_closed(run), "")
    yield "The last column is computed: what the processor time of a request leaves room for."
    yield from ("", *(f"{each}\n" for each in drawn[:2]))
    yield from ("## One connection", "", *_one(run))
    yield from ("", "## Streams", "", *_streams(run), "")
    yield from (f"{each}\n" for each in drawn[2:])
    yield from ("## Large prompts, and requests that come when they come", "", *_ours(run))
    yield from ("", "## What went wrong", "", *_wrong(run))


def _about(run: Run) -> Iterator[str]:
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    yield f"Begun {run.began}: {run.rounds} rounds, {run.seconds:g} s a measurement. On: {machine}."
    others = [
        figures["others"]
        for turn in run.turns
        for figures in turn.lanes.values()
        if turn.contender != DIRECT and "others" in figures
    ]
    if others and (median := Spread.of(others).median) > _QUIET:
        yield ""
        yield (
            f"**The machine was not idle**: others had {median:.0%} of the gateway's core. "
            "Rates and times are worse than on an idle one; processor times less so."
        )


def verdict_lines(run: Run) -> Iterator[str]:
    """How many are met, and a table of them."""
    judged = [each for each in verdicts(run) if each.met is not None and not each.is_stretch]
    met = sum(bool(each.met) for each in judged)
    yield from (f"Met: {met} of {len(judged)} that were measured.", "")
    yield from ("| point | asked | found | |", "|--:|---|--:|---|")
    for each in verdicts(run):
        said = {True: "met", False: "**not met**", None: ""}[each.met]
        yield f"| {each.point} | {each.asked} | {each.found} | {said} |"


def _closed(run: Run) -> Iterator[str]:
    yield (
        "| | does | requests/s | of Envoy's | p50 / p99 ms | processor µs "
        "| Redis µs | core used | a whole core |"
    )
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|"
    envoy = run.spread("envoy", CLOSED, "per_s")
    for name, about in run.contenders.items():
        per_s = run.spread(name, CLOSED, "per_s")
        if per_s is None:
            continue
        of_envoy = f"{per_s.median / envoy.median:.3f}" if envoy else ""
        times = _both(run, name, CLOSED)
        cost, redis, busy = (
            _cell(run, name, CLOSED, each) for each in ("cpu_us", "redis_us", "busy")
        )
        whole = _whole_core(run, name)
        if name == DIRECT:
            of_envoy = cost = redis = busy = ""
        title = f"{about.title} {about.version}".strip()
        yield (
            f"| {title} | {about.does} | {_spread(per_s)} | {of_envoy} | {times} | {cost} "
            f"| {redis} | {busy} | {whole} |"
        )


def _whole_core(run: Run, name: str) -> str:
    """Requests a second if the gateway had all of its core, by its processor time alone."""
    cost = run.spread(name, CLOSED, "cpu_us")
    return told(_US / cost.median) if cost and cost.median else ""


def _one(run: Run) -> Iterator[str]:
    yield from ("| | p50 / p99 ms | added p50 ms | added p99 ms |", "|---|--:|--:|--:|")
    for name, about in run.contenders.items():
        if run.spread(name, ONE, "p50"):
            added = (added_ms(run, name, ONE, each) for each in ("p50", "p99"))
            cells = " | ".join("" if each is None else f"{each:.3f}" for each in added)
            yield f"| {about.title} | {_both(run, name, ONE)} | {cells} |"


def _streams(run: Run) -> Iterator[str]:
    yield (
        "| | at once | frames/s | time to first frame p50 / p99 ms | added p50 ms "
        "| processor µs a frame | bytes |"
    )
    yield "|---|--:|--:|--:|--:|--:|---|"
    for lane, at_once in ((MANY_STREAMS, 400), (FEW_STREAMS, 50)):
        for name, about in run.contenders.items():
            if run.spread(name, lane, "frames_per_s"):
                cells = _stream_cells(run, name, lane)
                yield f"| {about.title} | {at_once} | {cells} |"


def _stream_cells(run: Run, name: str, lane: str) -> str:
    added = added_ms(run, name, lane, "ttft_p50")
    changed = run.spread(name, lane, "changed")
    return " | ".join(
        (
            _cell(run, name, lane, "frames_per_s"),
            _both(run, name, lane, "ttft_"),
            "" if added is None else f"{added:.2f}",
            "" if name == DIRECT else _cell(run, name, lane, "cpu_us"),
            "changed" if changed and changed.most else "as sent",
        )
    )


def _ours(run: Run) -> Iterator[str]:
    yield from ("| Spillgate | asked a second | p50 / p99 ms | slowest ms |", "|---|--:|--:|--:|")
    yield _line(run, "open loop, 75 % of what 32 connections got", OPEN, "")
    yield _line(run, "small requests alone", LARGE, "alone_")
    for size in (100_000, 400_000):
        beside = f"small requests beside prompts of {size // 1000} KB"
        yield _line(run, beside, LARGE, f"beside_{size}_")
        yield _line(run, f"those prompts of {size // 1000} KB", LARGE, f"of_{size}_")


def _line(run: Run, title: str, lane: str, prefix: str) -> str:
    times = _both(run, OURS, lane, prefix)
    per_s, slowest = (_cell(run, OURS, lane, prefix + each) for each in ("per_s", "slowest"))
    return f"| {title} | {per_s} | {times} | {slowest} |"


def _wrong(run: Run) -> Iterator[str]:
    for name, why in run.left_out.items():
        yield f"- {name} was left out: {why}"
    for number in run.too_slow:
        yield (
            f"- round {number + 1} does not count: the upstream was not {UPSTREAM_AT_LEAST:g} "
            "times as fast as the gateway"
        )
    for each in (*run.disagreements(), *run.failures()):
        yield f"- {' '.join(each.split())}"
    yield "- That is all."


def _settings(run: Run) -> Iterator[str]:
    yield from ("# Settings of everybody", "", "Written by `make bench`; do not edit.")
    yield from ("Whatever is not here is a default; ports are examples.",)
    for about in run.contenders.values():
        if about.published:
            yield from ("", f"## {about.title} {about.version}".rstrip())
        for name, text in about.published.items():
            yield from ("", f"`{name}`:", "", _READ_BY_OTHERS, "```", text.rstrip("\n"), "```")


def _cell(run: Run, contender: str, lane: str, name: str) -> str:
    spread = run.spread(contender, lane, name)
    return _spread(spread) if spread else ""


def _both(run: Run, contender: str, lane: str, prefix: str = "") -> str:
    p50, p99 = (run.spread(contender, lane, prefix + each) for each in ("p50", "p99"))
    return f"{told(p50.median)} / {told(p99.median)}" if p50 and p99 else ""


def _spread(spread: Spread) -> str:
    if spread.least == spread.most:
        return told(spread.median)
    return f"{told(spread.median)} ({told(spread.least)} to {told(spread.most)})"
