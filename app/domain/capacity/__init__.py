"""What deployments have room for: their own accounts of it as they can be known from outside."""
