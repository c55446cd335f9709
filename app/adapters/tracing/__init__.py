"""Traces: `request_tracing` is the port; `export` makes spans and sends them to `exporters`."""
