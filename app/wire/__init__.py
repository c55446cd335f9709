"""Bytes in, values out: formats of HTTP bodies, streams and headers. No I/O, no clock."""
