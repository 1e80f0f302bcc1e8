"""What every refusal has in common: words on one of both streams, an exit status, and nothing changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.lab.command import Result
from tests.lab.guest import Guest
from tests.lab.host import Host, settle
from tests.lab.netns import NamedNamespace
from tests.lab.snapshot import Unchanged


def clear_refusal(done: Result) -> bool:
    """Tell whether a command has said no in words, on one of both streams."""
    said = done.out + done.err
    return done.code in (1, 2) and "Traceback" not in said and "fault of pipework" not in said and bool(said)


def refused_untouched(host: Host, guest: Guest, words: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """Run a command that must be refused and leave host and guest alone; return what it says."""
    watched = Unchanged(host), Unchanged(guest)
    done = host.pipework(*words, env=env)
    assert (done.code, done.out) == (1, "")
    assert clear_refusal(done), done
    for one in watched:
        one.check()
    return done.err


def assert_each_refused(host: Host, guest: NamedNamespace, wrong: Mapping[str, str]) -> None:
    """Type lines on a host with br0, the guest for GUEST: each must say what is wrong, and the fix; nothing changes."""
    if not host.link("br0"):
        host.run("ip", "link", "add", "br0", "type", "bridge")
    settle(host, guest)
    before = Unchanged(host), Unchanged(guest)
    for line, told in wrong.items():
        done = host.pipework(*line.replace("GUEST", guest.spec).split())
        assert (done.code, done.out) == (1, ""), (line, done)
        assert told in done.err and len(done.err.splitlines()) == 2, (line, done)
    for one in before:
        one.check()
