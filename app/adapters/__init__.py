"""Everything that does I/O: upstreams, stores, metrics, logs, the clock."""
