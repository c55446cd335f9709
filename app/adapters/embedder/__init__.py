"""Text as a point: models on this machine, and deployments asked through the gateway's router."""
