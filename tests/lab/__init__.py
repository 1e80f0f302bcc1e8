"""The lab: real engines, switches, namespaces and servers, started when needed and stopped by pid.

Each module works without pytest (plain functions and context managers) and offers the same as fixtures.
"""
