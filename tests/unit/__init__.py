"""Tests that need no root and no part of a host."""
