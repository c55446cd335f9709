"""Deployments asked directly, in turns, and how fast they answered."""
