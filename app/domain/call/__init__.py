"""One request: what it asks, and how long that is."""
