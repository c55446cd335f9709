"""Usage that is far off a tenant's own history: found in the ledger's archive, and told of."""
