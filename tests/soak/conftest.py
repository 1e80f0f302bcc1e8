"""What takes minutes is as much for sandboxes as what does not."""

from tests.lab.sandboxed import sandboxed

__all__ = ["sandboxed"]
