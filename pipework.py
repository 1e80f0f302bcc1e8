#!/usr/bin/env python3
"""Run pipework from a checkout: ``./pipework.py br0 test1 192.168.1.100/24``.

The package beside this file wins over it on import, so this is only a door.
"""

from pipework.cli import main

if __name__ == "__main__":
    main()
