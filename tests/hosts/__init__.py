"""Other Debians than the one that the tests run on, each with its own engines, firewalls, programs and Python."""
