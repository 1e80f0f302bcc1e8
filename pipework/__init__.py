"""pipework: put containers and network namespaces on any network."""

__version__ = "0.2.0"
