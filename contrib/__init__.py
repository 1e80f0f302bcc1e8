"""What goes beside the package: the manual page, the completions, and what writes both."""
