"""A first config for the deployments that somebody has."""
