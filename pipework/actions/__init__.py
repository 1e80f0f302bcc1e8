"""Everything that changes the world: small frozen values that can be done, undone and said as a shell line."""
