"""Logs: one JSON object a line on standard error, ours and the libraries' alike."""

from app.adapters.logs.configure import Logs, configure_logs
from app.adapters.logs.rendering import MAX_FIELD

__all__ = ["MAX_FIELD", "Logs", "configure_logs"]
