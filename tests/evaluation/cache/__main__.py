"""`python -m tests.evaluation.cache`: how often the semantic cache answers, and how often wrongly.

Without a file, the pairs of the report split, on which nothing was tuned. The last line is JSON.
Exits with 2 on a bad line or where the embedder is not installed.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from app.adapters.embedder import local
from app.adapters.phrasebook import load_phrasebook
from app.domain.cache.thresholds import threshold_of
from tests.evaluation.cache.judged import judge
from tests.evaluation.cache.labelled import BadLine, Pair, of_file, of_split
from tests.evaluation.cache.plot import plot
from tests.evaluation.cache.shown import last_line, report

_WRONG_INPUT = 2


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    asked = _parser().parse_args(arguments)
    try:
        pairs = _pairs(asked)
        encoder = local.load(asked.embedder)
    except (BadLine, OSError, UnicodeDecodeError, local.EmbedderMissing) as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG_INPUT
    threshold = threshold_of(asked.embedder) if asked.threshold is None else asked.threshold
    judged = judge(pairs, encoder, load_phrasebook())
    where = asked.pairs or f"{asked.split} split"
    title = f"{where}: {len(pairs)} pairs, embedder {asked.embedder}, threshold {threshold:g}"
    sys.stdout.write(f"{title}\n\n")
    sys.stdout.writelines(f"{line}\n" for line in report(judged, threshold))
    if asked.plot:
        Path(asked.plot).write_text(plot(judged, threshold, title), encoding="utf-8")
    sys.stdout.write(last_line(judged, threshold) + "\n")
    return 0


def _pairs(asked: Namespace) -> list[Pair]:
    if not asked.pairs:
        return of_split(asked.split)
    pairs = list(of_file(Path(asked.pairs)))
    if not pairs:
        raise BadLine(f"{asked.pairs}: no pairs in it")
    return pairs


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m tests.evaluation.cache", description=__doc__)
    parser.add_argument("--pairs", help='a file of lines {"a": text, "b": text, "same": bool}')
    parser.add_argument("--split", choices=("report", "tune"), default="report")
    parser.add_argument("--embedder", choices=tuple(local.MODELS), default=local.DEFAULT)
    parser.add_argument("--threshold", type=float, help="cosine distance; default: the embedder's")
    parser.add_argument("--plot", help="write the curves to this SVG file")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
