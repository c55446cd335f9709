"""Spans of requests that are over, sent in the background: no request waits, nothing is unbounded.

A trace is put into the queue whole or not at all. Spans that find no room in it, that a receiver
does not take, and that still wait when the process ends, are counted as lost.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from threading import get_native_id

import msgspec
import structlog
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from app.adapters.pace import behind_requests, no_longer_behind
from app.adapters.tracing.sdk_spans import SpanForm
from app.domain.ledger.completion import Receipt
from app.domain.tracing.said import NOTHING_SAID, Said
from app.domain.tracing.span_attributes import Server
from app.domain.tracing.span_tree import span_tree


class Bounds(msgspec.Struct, frozen=True):
    """Of each receiver: spans that wait, spans sent at once, and times in seconds."""

    queue: int = 4096
    batch: int = 256
    delay_s: float = 1.0
    close_s: float = 2.0


class SpanExport:
    """Makes and sends them; `servers` are the deployments in force, replaced by a reload."""

    def __init__(self, exporters: Sequence[SpanExporter], form: SpanForm, bounds: Bounds) -> None:
        """Threads of their own send to each of the exporters."""
        self.servers: Mapping[str, Server] = {}
        self._form = form
        self._bounds = bounds
        self._lines = [_Line(each, bounds) for each in exporters]
        self._failed_total = 0

    @property
    def resource(self) -> Resource:
        """Who they are from."""
        return self._form.resource

    @property
    def sent_total(self) -> int:
        """Spans that receivers took."""
        return sum(line.exporter.sent_total for line in self._lines)

    @property
    def waiting(self) -> int:
        """Spans that are on their way."""
        return sum(line.waiting for line in self._lines)

    @property
    def lost_total(self) -> int:
        """Spans that they did not get."""
        return self._failed_total + sum(line.lost_total for line in self._lines)

    def record(self, receipt: Receipt, said: Said = NOTHING_SAID) -> None:
        """Have the spans of a request sent; neither waits nor raises."""
        try:
            spans = self._form.spans(span_tree(receipt, self.servers, said))
        except Exception as error:  # noqa: BLE001  # a request does not fail for its trace
            self._failed_total += 1
            structlog.get_logger().error("trace_not_made", error=type(error).__name__)
            return
        self.put(spans)

    def put(self, spans: Sequence[ReadableSpan]) -> None:
        """Have spans sent that are made already; on the event loop alone, as all else here."""
        for line in self._lines:
            line.put(spans)

    async def close(self) -> None:
        """Send what waits, as far as there is time for it."""
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def shut_down() -> None:
            for line in self._lines:
                line.shut_down()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        # A thread that nobody joins: one that sends to a receiver that is frozen ends when it may.
        threading.Thread(target=shut_down, name="spans: closing", daemon=True).start()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._bounds.close_s):
                await ended.wait()
        for line in self._lines:
            line.give_up()


class _Line:
    """To one receiver."""

    def __init__(self, exporter: SpanExporter, bounds: Bounds) -> None:
        self.exporter = _Counting(exporter)
        self.processor = BatchSpanProcessor(
            self.exporter,
            max_queue_size=bounds.queue,
            schedule_delay_millis=bounds.delay_s * 1000,
            max_export_batch_size=min(bounds.batch, bounds.queue),
            export_timeout_millis=0,  # not used by the SDK; its exporters have their own
        )
        self._most = bounds.queue
        self._put_total = 0
        self._dropped_total = 0
        self._given_up = False

    @property
    def waiting(self) -> int:
        """In the queue, or being sent."""
        return self._put_total - self.exporter.told_total

    @property
    def lost_total(self) -> int:
        """Dropped, refused, or given up."""
        left = self.waiting if self._given_up else 0
        return self._dropped_total + self.exporter.refused_total + left

    def put(self, spans: Sequence[ReadableSpan]) -> None:
        """The SDK would drop the oldest spans of a full queue, and leave traces with holes."""
        if self._put_total - self.exporter.taken_total + len(spans) > self._most:
            self._dropped_total += len(spans)
            return
        self._put_total += len(spans)
        for span in spans:
            self.processor.on_end(span)

    def shut_down(self) -> None:
        """Blocks for as long as the exporter does; 30 s at most."""
        self.exporter.hurry()
        self.processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK has no types here

    def give_up(self) -> None:
        """What was not told of until now will not be."""
        self._given_up = True


class _Counting(SpanExporter):
    """Counts what becomes of spans; used by one thread at a time, read by others.

    `taken_total` are out of the queue; of those, `sent_total` and `refused_total` are done with.
    """

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._is_away = False
        self._thread_id = 0
        self._is_in_hurry = False
        self.taken_total = 0
        self.sent_total = 0
        self.refused_total = 0

    @property
    def told_total(self) -> int:
        """Of which it is known what became of them."""
        return self.sent_total + self.refused_total

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; a failure is told in the log when it begins and when it ends."""
        self._thread_id = get_native_id()
        if not self._is_in_hurry:
            behind_requests()  # here, for the thread is the SDK's
        self.taken_total += len(spans)
        try:
            result = self._inner.export(spans)
        except Exception:  # noqa: BLE001  # an exporter's own defect costs its spans and no more
            result = SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self.sent_total += len(spans)
        else:
            self.refused_total += len(spans)
        self._tell(is_away=result is not SpanExportResult.SUCCESS)
        return result

    def hurry(self) -> None:
        """Somebody waits for what is left to be sent."""
        self._is_in_hurry = True
        if self._thread_id:
            no_longer_behind(self._thread_id)

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Whatever the exporter keeps back."""
        return self._inner.force_flush(timeout_millis)

    def _tell(self, *, is_away: bool) -> None:
        if is_away is self._is_away:
            return
        self._is_away = is_away
        log = structlog.get_logger()
        if is_away:
            log.warning("traces_not_taken", lost=self.refused_total)
        else:
            log.info("traces_taken_again", lost=self.refused_total)


@asynccontextmanager
async def exporting_spans(
    exporters: Sequence[SpanExporter], form: SpanForm, bounds: Bounds
) -> AsyncIterator[SpanExport]:
    """Open for as long as requests are served; what waits at the end has `close_s` seconds."""
    export = SpanExport(exporters, form, bounds)
    try:
        yield export
    finally:
        await export.close()
