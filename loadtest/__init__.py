"""Load that looks like users, for Locust, and what judges its statistics.

Only `locustfile` needs Locust; everything else is plain Python.
"""
