"""One module for each dashboard: the list of its panels."""
