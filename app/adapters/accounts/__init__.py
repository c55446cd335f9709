"""Tenants' accounts: reserved and settled in Redis, and what is done while it is away."""
