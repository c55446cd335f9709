"""What a month costs, and who owes which part of it."""
