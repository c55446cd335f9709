"""Traces on their way out: `export` makes and sends spans, `exporters` knows where to."""
