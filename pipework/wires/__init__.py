"""What is wired, how that differs from what is asked for, and how it is taken down."""
