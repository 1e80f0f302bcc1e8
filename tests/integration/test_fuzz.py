"""Lines of words that mean something, and of words that mean harm, through the whole command on a real host."""

from __future__ import annotations

import random

import pytest

from tests.lab.crowd import unfinished
from tests.lab.faults import breaking
from tests.lab.host import Host, nic_of, without_dad
from tests.lab.netns import named_namespace

LINES = 100  # of each seed
NEVER = 1 << 30  # no run has so many steps

HOSTIFS = [
    *(
        "br0",
        "br0",
        "br0",
        "nic0",
        "nic0",
        "nic0",
        "lo",
        "br1",
        "brx+",
        "br'",
        "nothere",
        "dummy0",
        "eth0:1",
        "../br0",
        "-x",
    ),
    "",
]
ADDRESSES = (
    "10.1.0.9/24",
    "10.1.0.9/24@10.1.0.1",
    "10.1.0.9/32@10.2.0.1",
    "fd00:1::9/64",
    "fd00:1::9/128@fd00:2::1",
    "0/0",
)
WRONG_ADDRESSES = [
    *(
        "10.1.0.9",
        "10.1.0.9/33",
        "10.1.0.0/24@255.255.255.255",
        "224.0.0.1/4",
        "255.255.255.255/32",
        "0.0.0.0/8",
        "127.0.0.1/8",
    ),
    *("::/0@fe80::1", "10.1.0.9/24@fd00::1", "::1/128", "fe80::1/10", "\u0663.1.1.1/8"),
]
MACS = (
    "02:00:00:00:00:01",
    "2:0:0:0:0:1",
    "U:x",
    "ff:ff:ff:ff:ff:ff",
    "0:0:0:0:0:0",
    "@0",
    "@7",
    "@4095",
    "@ten",
    "U:x@4094",
)
NAMES = [
    *("eth1", "eth2", "lo", "a/b", "..", "sixteen_letters_", "-rf", "\u0663", "$(id)", "all", "default"),
    "a b",
    "\x1b[31m",
    "\udc80",
    "",
]
NOBODY = ("netns:nothere", "netns:../x", "pid:x", "/", "/dev/null")


def line(chance: random.Random, guest: str) -> list[str]:
    """A line: mostly of the right words in the right places, sometimes not."""
    words = ["--direct-phys"] if chance.random() < 0.1 else []
    words += ["--replace"] if chance.random() < 0.1 else []
    words.append(chance.choice(HOSTIFS))
    for option in ("-i", "-l"):
        words += [option, chance.choice(NAMES)] if chance.random() < 0.3 else []
    words.append(guest if chance.random() < 0.9 else chance.choice(NOBODY))
    words.append(chance.choice(ADDRESSES if chance.random() < 0.7 else WRONG_ADDRESSES))
    words += [chance.choice(MACS)] if chance.random() < 0.3 else []
    if chance.random() < 0.2:
        words = ["del", guest, *(["-i", chance.choice(NAMES)] if chance.random() < 0.5 else ["--all"])]
    return words


@pytest.mark.parametrize("seed", range(4))
def test_lines(host: Host, seed: int) -> None:
    """Every line ends with success or a refusal in words, and none leaves work in progress."""
    chance = random.Random(seed)
    codes = []
    with nic_of(host, "nic0"), named_namespace() as guest, breaking(host.argv()) as run:
        without_dad(guest)
        for _ in range(LINES):
            words = line(chance, guest.spec)
            done = run("refuse", NEVER, words)
            codes.append(done.code)
            assert done.code in (0, 1, 2), f"{words}: {done}"
            assert done.code == 0 or done.err or "exists and is up" in done.out, f"{words}: {done}"
            assert "Traceback" not in done.err + done.out, f"{words}: {done}"
            assert "fault of pipework" not in done.err, f"{words}: {done}"
            assert "\x1b" not in done.err + done.out, f"{words}: {done}"
            assert unfinished(host, guest) == [], words
    assert codes.count(0) > LINES / 20
    assert codes.count(1) > LINES / 20
