"""The `spillgate` command."""
