"""What all of pipework's verbs know of a trunk."""

from __future__ import annotations

import json
from typing import Callable

from tests.lab.command import Result
from tests.lab.netns import NamedNamespace

TRUNK = "@10:100,200-201"


def check_told(pipework: Callable[..., Result], hostif: str, router: NamedNamespace) -> None:
    """ls, save and --replace know a trunk that is there, which changes to another and to an access port and back."""
    line = [hostif, router.spec]
    (row,) = json.loads(pipework("ls", "--json", router.spec).out)
    assert (row["vlan"], row["trunk"]) == (None, TRUNK[1:])
    assert f"  {TRUNK[1:]}  " in pipework("ls").out
    assert pipework("save", router.spec).out.endswith(f"{TRUNK}\n")
    for address, vlans, again in (
        ("10.0.10.1/24", TRUNK, "@10:200-201,100"),
        ("10.0.10.1/24", "@10:100", "@10:100-100"),
        ("10.0.10.1/24", "@100", "@100"),
        ("0/0", "@100,200", "@200,100"),
    ):
        done = pipework("--replace", *line, address, vlans)
        assert done == (0, "", ""), done
        link = router.link("eth1")
        done = pipework("--replace", *line, address, again)
        assert done == (0, "", ""), done
        assert link is not None and router.link("eth1") == link, vlans
        assert pipework("save", router.spec).out.rstrip().endswith(vlans) or vlans == "@100", vlans
