"""Who calls and who administers: keys, tokens, tenants, the directory of them."""
