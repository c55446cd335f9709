"""The stages of a request; each does one thing and knows no other."""
