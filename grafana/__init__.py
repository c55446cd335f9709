"""Grafana: what is provisioned, the dashboards, and the source that they are generated from."""
