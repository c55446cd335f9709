"""Which deployment is asked: tiers, policy, health, and what is said when none may be."""
