"""The ledger beside what Azure counted: differences, and what explains them."""
