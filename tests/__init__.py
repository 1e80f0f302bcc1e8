"""The tests of pipework, and the lab they run in."""

import os
import sys
from pathlib import Path

# PIPEWORK_INSTALLED is the PREFIX of a `make install`: what stands there is tested in place of this checkout.
INSTALLED = os.environ.get("PIPEWORK_INSTALLED", "")
if INSTALLED:
    sys.path[:0] = map(str, Path(INSTALLED).glob("lib/pipework/lib/python3*/site-packages"))
