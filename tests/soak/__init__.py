"""What takes minutes: many kills, many at once, a thousand attaches.  Run by `make soak`."""
