"""Who calls: keys, tokens of Entra ID, and the signing keys that prove them."""
