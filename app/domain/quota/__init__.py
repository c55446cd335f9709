"""What tenants may use and what it costs: limits, reservations, prices, budgets."""
