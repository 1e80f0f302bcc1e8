"""Other Debians than the one that the tests run on, each with its own kernel, engines, firewalls and Python."""
