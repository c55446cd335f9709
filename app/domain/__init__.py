"""Frozen values and pure functions: the words the rest of the gateway is written in."""
