"""`python -m tests.changed [COMMIT]`: print the tests that the changes since a commit can touch, as pytest's words.

The changes are those of the work tree, new files included, against that commit; HEAD if none is named.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable

from tests.lab.command import CHECKOUT

# What has changed -> the files of tests/integration that drive it.  Of several rows the first that matches counts.
ROWS = (
    (r"pipework/guests/by_process", "ls del"),
    (r"pipework/guests/labels", "labels"),
    (r"pipework/guests/", "guests engines least_harm refusals races"),
    (
        r"pipework/(addressing|actions)/dhcp|pipework/(leases|kernel/(supervisor|sandbox))",
        "dhcp dhcp_files dhcp_lan del_dhcp least_harm removal",
    ),
    (
        r"pipework/((links|actions|kernel)/ovn|addressing/dynamic|links/switch_port)",
        "ovn_page ovn_between_hosts openvswitch gc",
    ),
    (
        r"pipework/addressing/|pipework/actions/(addresses|announce|default_route)|pipework/default_routes",
        "addresses del dry_run replace gc removal",
    ),
    (r"pipework/kernel/packets", "addresses"),
    (r"pipework/kernel/(messages|former_notes)", "messages addresses ls"),
    (r"pipework/actions/(lines|route_words)", "messages dry_run del replace"),
    (
        r"pipework/(firewall/|actions/(iptables|firewalld|notice)|kernel/nf_tables)",
        "bridge firewall gc least_harm removal routed",
    ),
    (r"pipework/(links|actions)/routed", "routed"),
    (r"pipework/(links/(peer|ends)|commands/wire|wires/pairs)", "wire removal save"),
    (r"pipework/links/bridge", "bridge dry_run hostif replace races"),
    (
        r"pipework/(links|actions)/openvswitch|pipework/actions/offload|pipework/kernel/(ovsdb|ethtool)",
        "openvswitch fake_bridge hostif dhcp_lan dry_run gc removal",
    ),
    (r"pipework/(links/host_access|actions/access|kernel/neighbours)", "host_access removal"),
    (r"pipework/(links/(macvlan|parent|ipvlan|tenants)|actions/ipvlan)", "hostif macvlan host_access replace"),
    (r"pipework/links/(nic|vlan|loan)|pipework/actions/nic", "direct del gc replace removal renamed"),
    (r"pipework/(commands/delete|wires/teardown)", "del del_dhcp gc removal renamed notes"),
    (r"pipework/(commands|actions)/uplink|pipework/uplinks/|pipework/kernel/guard", "uplink"),
    (r"pipework/commands/gc", "gc removal notes hooks"),
    (
        r"pipework/(commands/(apply|progress)|lines|wires/(survey|saved|lent))|pipework/commands/save",
        "apply save replace hooks watch",
    ),
    (r"pipework/(commands/hook|hook_files|oci|actions/files)", "hooks hook_files"),
    (r"pipework/(commands/(watch|by_labels)|events)", "watch labels keep"),
    (r"pipework/(commands/keeping|actions/kept|kept)", "keep del watch one_shot"),
    (r"pipework/commands/(own_lines|clearing)", "hooks watch labels"),
    (r"pipework/wires/names", "hooks ls save"),
    (r"pipework/wires/troubles", "ls apply firewall"),
    (r"pipework/kernel/containment", "one_shot"),
    (r"pipework/kernel/own_sys", "hostif ls"),
    (r"pipework/notes|pipework/actions/notes", "notes del gc removal renamed"),
    (r"pipework/(wires/(inventory|remnants)|commands/ls)|pipework/kernel/census", "ls long_names del gc renamed"),
    (r"pipework/commands/replace|pipework/(actions|links)/stash|pipework/wires/diff", "replace dry_run removal notes"),
    (r"pipework/commands/passthrough", "verbs"),
    (r"pipework/commands/wait|contrib/pipework-wait", "wait"),
    (r"contrib/(completion/|generate)", "completion"),
    (r"contrib/(debian/|launcher|bundled)|Dockerfile", "packages one_shot"),
    (r"pipework/usage|pipework/commands/tell", "readme"),
    (r"docs/ovn\.md|tests/lab/ovn_page\.py", "ovn_page readme"),
    (r"README\.md|docs/|tests/lab/(pages|console)\.py", "readme"),
    (r"pipework/(grammar|verbs|model|requests|address|words|errors)\.py", "refusals fuzz verbs wait completion"),
    (r"tests/(unit|vm|hosts|soak|bench)/|contrib/pipework\.8|[^/]+\.md|LICENSE", ""),
)
ALWAYS = "tests/unit"
ALL = (ALWAYS, "tests/integration", "tests/parity")


def files(names: str) -> list[str]:
    """The test files of a row."""
    return [f"tests/integration/test_{name}.py" for name in names.split()]


def touched(changed: Iterable[str]) -> tuple[str, ...]:
    """Return what to run when these files have changed: all, for one that no row speaks of."""
    wanted = {ALWAYS: None}
    for path in changed:
        if re.match(r"tests/(integration|parity)/test_", path):
            wanted[path] = None
            continue
        row = next((names for pattern, names in ROWS if re.match(pattern, path)), None)
        if row is None:
            return ALL
        wanted.update(dict.fromkeys(files(row)))
    return tuple(path for path in wanted if (CHECKOUT / path).exists())


def changes(since: str) -> list[str]:
    """Return the files that differ from a commit, and those that git does not know yet; SystemExit: git's no."""
    asked = (["git", "diff", "--name-only", since, "--"], ["git", "ls-files", "--others", "--exclude-standard"])
    done = [subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=False) for words in asked]
    if any(one.returncode for one in done):
        sys.exit("".join(one.stderr for one in done).strip())
    return [path for one in done for path in one.stdout.splitlines()]


if __name__ == "__main__":
    print(*touched(changes(sys.argv[1] if len(sys.argv) > 1 else "HEAD")))
