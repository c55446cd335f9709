"""The ledger's archive: append-only files with checksums, the durable copy of what Redis holds."""
