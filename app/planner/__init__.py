"""What if: routing strategies compared over simulated hours of traffic."""
