"""The same lines through the original and through ours, and the kernel's state after each compared."""
