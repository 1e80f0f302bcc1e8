"""``python -m pipework`` is the command ``pipework``."""

from pipework.cli import main

main()
