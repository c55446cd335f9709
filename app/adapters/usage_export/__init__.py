"""The ledger, exported from its archive as it grows: to files, and as OpenTelemetry log records."""
