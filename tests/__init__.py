"""The tests of pipework, and the lab they run in."""
