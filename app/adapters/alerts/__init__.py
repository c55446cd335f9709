"""What people are told of: log lines and webhooks, once each."""
