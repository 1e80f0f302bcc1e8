"""watch wires containers whose labels hold lines, and takes no more from those than whoever starts one may have."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Callable

import pytest

from tests.integration.test_watch import becomes
from tests.lab.command import run_pipework
from tests.lab.engine import Container, docker
from tests.lab.guest import HOST, eventually, fresh_name, run
from tests.lab.podman import PodmanContainer, podman_service
from tests.lab.tcp import reaches
from tests.lab.watched import watching

Containers = Callable[..., Container]
Bridge = Callable[..., str]
BY_LABELS = ("--allow", "nothing0")


def label(number: int, text: str) -> str:
    return f"--label=pipework.{number}={text}"


def test_labels(container: Containers, bridge: Bridge) -> None:
    """Those that run and those that start are wired, in the order of their labels' names; again when they restart."""
    name = bridge()
    there = container(label(1, f"{name} 10.1.1.9/24"))
    with watching(words=BY_LABELS) as watch:
        wires = [f"docker:{there.name} eth1 10.1.1.9/24"]
        assert becomes(*wires), watch.told()
        web = container(label(10, f"{name} 10.1.1.2/24 -i eth2"), label(2, f"{name} 10.1.1.1/24@10.1.1.9 U:web"))
        wires += [f"docker:{web.name} eth1 10.1.1.1/24", f"docker:{web.name} eth2 10.1.1.2/24"]
        assert becomes(*wires), watch.told()
        assert there.ping("10.1.1.1")
        index = [int(web.link(f"eth{number}")["ifindex"]) for number in (1, 2)]  # type: ignore[index]
        assert index == sorted(index)
        docker("restart", "-t", "0", web.name)
        assert eventually(lambda: watch.told().count(f"+ docker:{web.name}: {name} 10.1.1.1/24") == 2), watch.told()
        assert becomes(*wires), watch.told()
        assert "pipework: " not in watch.told(), watch.told()
        assert watch.end() == 0


def test_beside_a_file(container: Containers, bridge: Bridge) -> None:
    """A file and labels ask together."""
    name, web = bridge(), fresh_name("pwc")
    with watching(f"{name} {web} 10.1.1.1/24") as watch:
        container(label(1, f"{name} 10.1.1.2/24 -i eth2"), name=web)
        assert becomes(f"docker:{web} eth1 10.1.1.1/24", f"docker:{web} eth2 10.1.1.2/24"), watch.told()


def test_wrong_labels(container: Containers, bridge: Bridge, pwnic0: None) -> None:
    """Each is one message with its place and the fix, and keeps no other from being done."""
    name = bridge(create=True)
    wrong = {
        2: (f"{name} 10.1.1.2", "ADDRESS 10.1.1.2 has no netmask"),
        3: (f"{name} other 10.1.1.3/24", f"{name} other 10.1.1.3/24 names a guest"),
        4: ("pwnic0 10.1.1.4/24 -i eth4", "pipework watch --allow nothing0,pwnic0"),
        5: (f"{name} udhcpc:-s/tmp/x -i eth5", "run what the line says"),
        6: (f"{name} $(id)/24", "is not an address"),
        7: (f"{name} 10.1.1.7/24", "another line asks for eth1, too"),
        8: ("del --all", "a line does not take --all"),
        9: ("--direct-phys pwnic0 10.1.1.9/24 -i eth9", "which lines of containers may not use"),
        12: ("--routed pwnic0 10.1.1.12/32 -i eth12", "which lines of containers may not use"),
        13: ("--host-access pwnic0 10.1.1.13/24 -i eth13", "which lines of containers may not use"),
        14: ("--ipvlan l2 pwnic0 10.1.1.14/24 -i eth14", "which lines of containers may not use"),
    }
    with watching(words=BY_LABELS) as watch:
        lines = [label(number, text) for number, (text, _) in wrong.items()]
        web = container(label(1, f"{name} 10.1.1.1/24"), label(11, f"{name} 10.1.1.11/24 -i eth11"), *lines)
        assert becomes(f"docker:{web.name} eth1 10.1.1.1/24", f"docker:{web.name} eth11 10.1.1.11/24"), watch.told()
        for number, (_, said) in wrong.items():
            place = f"pipework: label pipework.{number} of docker:{web.name}: "
            assert watch.says(place), watch.told()
            told = watch.told()
            assert told.count(place) == 1 and said in told.partition(place)[2].partition("pipework: ")[0], told


def test_allowed_nic(container: Containers, pwnic0: None) -> None:
    """A NIC that was allowed is shared."""
    with watching(words=("--allow", "eno7,pwnic0")) as watch:
        web = container(label(1, "pwnic0 10.1.1.1/24"))
        assert becomes(f"docker:{web.name} eth1 10.1.1.1/24"), watch.told()


def test_options_of_an_allowed_nic(container: Containers, pwnic0: None) -> None:
    """So it is in each of the ways that have a NIC shared."""
    HOST.run("ip", "addr", "add", "10.1.1.254/24", "dev", "pwnic0")
    HOST.run("ip", "link", "set", "pwnic1", "up")  # without whose carrier nothing passes
    lines = ("--host-access pwnic0 10.1.1.1/24", "--routed pwnic0 10.1.1.2/32 -i eth2")
    with watching(words=("--allow", "pwnic0")) as watch:
        web = container(*(label(number, line) for number, line in enumerate(lines)))
        assert becomes(f"docker:{web.name} eth1 10.1.1.1/24", f"docker:{web.name} eth2 10.1.1.2/32"), watch.told()
        assert reaches(HOST, web, "10.1.1.1")
        assert reaches(HOST, web, "10.1.1.2")


def test_labels_of_images(image: Callable[[str], str], bridge: Bridge) -> None:
    """They are left out, and that is told, unless they are trusted; what was given at the start counts."""
    name, web, db = bridge(), fresh_name("pwc"), fresh_name("pwc")
    of_image = image(f'LABEL pipework.1="{name} 10.1.1.1/24"')
    docker("run", "-d", "--net=none", "--name", web, of_image, "sleep", "100000")
    docker("run", "-d", "--net=none", "--name", db, label(1, f"{name} 10.1.1.2/24"), of_image, "sleep", "100000")
    try:
        with watching(words=BY_LABELS) as watch:
            assert becomes(f"docker:{db} eth1 10.1.1.2/24"), watch.told()
            assert watch.says(f"docker:{web} has pipework.1 from its image, which is left out")
        with watching(words=("--trust-image-labels",)) as watch:
            assert becomes(f"docker:{web} eth1 10.1.1.1/24", f"docker:{db} eth1 10.1.1.2/24"), watch.told()
    finally:
        docker("rm", "-f", web, db)


@pytest.mark.parametrize("serves", [False, True], ids=["program", "server"])
def test_podman(serves: bool, podman: Callable[..., PodmanContainer], bridge: Bridge) -> None:
    """The same for podman, with a server and without."""
    name = bridge()
    there = podman(label(1, f"{name} 10.1.1.9/24"))
    with podman_service() if serves else nullcontext(), watching(words=BY_LABELS) as watch:
        wires = [f"podman:{there.name} eth1 10.1.1.9/24"]
        assert becomes(*wires), watch.told()
        web = podman(label(1, f"{name} 10.1.1.1/24"))
        wires += [f"podman:{web.name} eth1 10.1.1.1/24"]
        assert becomes(*wires), watch.told()
        run("podman", "restart", "-t", "0", web.name)
        assert watch.says(f"+ podman:{web.name}: {name} 10.1.1.1/24", 2), watch.told()
        assert becomes(*wires), watch.told()


def test_wrong_words() -> None:
    """A name that no link can have is refused before anything is done."""
    assert run_pipework("watch", "--allow", "a/b").code == 1
    assert run_pipework("watch", "a", "b").code == 1
