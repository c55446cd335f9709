"""How many PTUs the traffic that there was, or may be, is best served with."""
