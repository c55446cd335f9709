"""Azure: its deployments, their credentials, and which of them somebody has."""
