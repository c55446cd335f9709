"""One request explained afterwards."""
