"""What became of requests: receipts, rows, what accounts come to by them, sums."""
