"""How fast one attach is, next to others, measured in one run: `make bench`."""
