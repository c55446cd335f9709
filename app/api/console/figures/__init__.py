"""What the gateway counts, read from the page at `/metrics` and compared over time."""
