"""What OpenTelemetry is told: spans of requests, which of them, and rows by the same names."""
