"""watch takes the variables of the wrapper image where it is told so, for no more than labels may ask for."""

from __future__ import annotations

import signal
from contextlib import nullcontext
from typing import Callable

import pytest

from tests.integration.test_watch import becomes
from tests.lab.engine import IMAGE, Container, docker
from tests.lab.guest import HOST, fresh_name, run
from tests.lab.podman import PodmanContainer, podman_service
from tests.lab.watched import Watch, watching

Containers = Callable[..., Container]
Bridge = Callable[..., str]
FLAG = "--pipework-cmd"
WRAPPER = "dreamcat4/pipework:lab"


def variable(text: str, name: str = "pipework_cmd") -> str:
    return f"--env={name}={text}"


def refusal(watch: Watch, name: str, guest: str) -> str:
    """What is told of a variable, once."""
    place = f"pipework: variable {name} of {guest}: "
    assert watch.says(place) and watch.told().count(place) == 1, watch.told()
    return watch.told().partition(place)[2].partition("pipework: ")[0]


def test_variables(container: Containers, bridge: Bridge) -> None:
    """Those that run and those that start are wired, as their macros say; again when they restart; labels as ever."""
    name, shop = bridge(), fresh_name("shop")
    there = container(variable(f"{name} -i eth0 @CONTAINER_NAME@ 10.1.1.9/24"))
    with watching(words=(FLAG,)) as watch:
        assert "labels and pipework_cmd of containers" in watch.told()
        wires = [f"docker:{there.name} eth0 10.1.1.9/24"]
        assert becomes(*wires), watch.told()
        db = container(variable(f"{name} docker:@CONTAINER_NAME@ 10.1.1.5/24"))
        wires += [f"docker:{db.name} eth1 10.1.1.5/24"]
        assert becomes(*wires), watch.told()
        web = container(
            variable(
                "pipework @HOSTNAME@ -i eth2 @CONTAINER_ID@ 10.1.1.@INSTANCE@/24@10.1.1.9 U:x # mine",
                "web_pipework_cmd",
            ),
            variable(f"{name} -i eth3 -l @COMPOSE_PROJECT_NAME@l /{shop}-7 10.1.1.8/24", "pipework_cmd_2"),
            f"--label=pipework={name} 10.1.1.1/24",
            f"--hostname={name}",
            "--label=com.docker.compose.project=pwshop",
            name=f"{shop}-7",
        )
        wires += [f"docker:{web.name} eth{number} 10.1.1.{ip}/24" for number, ip in ((1, 1), (2, 7), (3, 8))]
        assert becomes(*wires), watch.told()
        assert there.ping("10.1.1.7") and HOST.link("pwshopl")
        docker("restart", "-t", "0", web.name)
        assert watch.says(f"+ docker:{web.name}: {name} -i eth2 {web.id[:12]} 10.1.1.7/24@10.1.1.9 U:x", 2), (
            watch.told()
        )
        assert becomes(*wires), watch.told()
        assert "pipework: " not in watch.told(), watch.told()
        assert watch.end() == 0


def test_without_the_flag(container: Containers, bridge: Bridge) -> None:
    """Variables are nothing then, also those of a container with labels."""
    name = bridge()
    container(variable(f"{name} @CONTAINER_NAME@ 10.1.1.9/24"))
    with watching(words=("--allow", "nothing0")) as watch:
        web = container(
            variable(f"{name} @CONTAINER_NAME@ 10.1.1.8/24"), f"--label=pipework={name} 10.1.1.1/24 -i eth2"
        )
        assert becomes(f"docker:{web.name} eth2 10.1.1.1/24"), watch.told()
        assert "pipework: " not in watch.told(), watch.told()


def test_wrong_variables(container: Containers, bridge: Bridge, pwnic0: None) -> None:
    """Each is one message with its place and the fix, and keeps no other from being done."""
    name, db = bridge(create=True), container()
    wrong = {
        "01": (f"{name} @CONTAINER_NAME@ 10.1.1.2", "ADDRESS 10.1.1.2 has no netmask"),
        "02": (f"{name} {db.name} 10.1.1.3/24", f"GUEST {db.name} is another than docker:"),
        "03": ("pwnic0 -i eth4 @CONTAINER_NAME@ 10.1.1.4/24", "pipework watch --allow pwnic0"),
        "04": (f"{name} -i eth5 @CONTAINER_NAME@ udhcpc:-s/tmp/x", "run what the line says"),
        "05": (f"{name} -i eth6 @CONTAINER_NAME@ dhcp", "Write udhcpc, dhclient or dhcpcd, without options."),
        "06": (f"{name} $(id) 10.1.1.6/24", "GUEST $(id) is another"),
        "07": (f"{name} @CONTAINER_NAME@ 10.1.1.7/24", "another line asks for eth1, too"),
        "08": ("route @CONTAINER_NAME@ add default via 10.1.1.254", "route makes no wire"),
        "09": (f"{name} @NODE_NUM@ 10.1.1.9/24", "there is no macro @NODE_NUM@"),
        "10": (f"{name} 10.1.1.10/24", "names no guest"),
        "11": ("", "the variable is empty"),
    }
    wrong = {f"pipework_cmd_{key}": row for key, row in wrong.items()}
    with watching(words=(FLAG,)) as watch:
        lines = [variable(text, key) for key, (text, _) in wrong.items()]
        beside = [variable("true", "pipework_host_route"), variable("abc", "pipework_key")]
        web = container(
            variable(f"{name} @CONTAINER_NAME@ 10.1.1.1/24"),
            variable(f"{name} -i eth11 @CONTAINER_NAME@ 10.1.1.11/24", "pipework_cmd_99"),
            *lines,
            *beside,
        )
        assert becomes(f"docker:{web.name} eth1 10.1.1.1/24", f"docker:{web.name} eth11 10.1.1.11/24"), watch.told()
        for key, (_, said) in wrong.items():
            assert said in refusal(watch, key, f"docker:{web.name}"), watch.told()
        for key in ("pipework_host_route", "pipework_key"):
            place = f"pipework: docker:{web.name} has {key}, which does nothing here: "
            assert watch.says(place) and watch.told().count(place) == 1, watch.told()


def test_allowed_nic(container: Containers, pwnic0: None) -> None:
    """A NIC that was allowed is shared."""
    with watching(words=(FLAG, "--allow", "pwnic0")) as watch:
        web = container(variable("pwnic0 -i eth0 @CONTAINER_NAME@ 10.1.1.1/24"))
        assert becomes(f"docker:{web.name} eth0 10.1.1.1/24"), watch.told()


def test_variables_of_images(image: Callable[[str], str], bridge: Bridge) -> None:
    """They are left out, and that is told, unless images are trusted; what was given at the start counts."""
    name, web, db = bridge(), fresh_name("pwc"), fresh_name("pwc")
    of_image = image(f'ENV pipework_cmd="{name} @CONTAINER_NAME@ 10.1.1.1/24"')
    given = variable(f"{name} @CONTAINER_NAME@ 10.1.1.2/24")
    docker("run", "-d", "--net=none", "--name", web, of_image, "sleep", "100000")
    docker("run", "-d", "--net=none", "--name", db, given, of_image, "sleep", "100000")
    try:
        with watching(words=(FLAG,)) as watch:
            assert becomes(f"docker:{db} eth1 10.1.1.2/24"), watch.told()
            assert watch.says(f"docker:{web} has pipework_cmd from its image, which is left out")
        with watching(words=(FLAG, "--trust-image-labels")) as watch:
            assert becomes(f"docker:{web} eth1 10.1.1.1/24", f"docker:{db} eth1 10.1.1.2/24"), watch.told()
    finally:
        docker("rm", "-f", web, db)


def test_others_that_run(container: Containers, bridge: Bridge) -> None:
    """The wrapper image's own container is told to be stopped; one on the host's network stops nobody else."""
    name = bridge()
    docker("tag", IMAGE, WRAPPER)
    wrapper, first = fresh_name("pwc"), container(variable(f"{name} @CONTAINER_NAME@ 10.1.1.1/24"))
    mode, line = variable("batch,daemon", "run_mode"), variable(f"{name} @CONTAINER_NAME@ 10.1.1.4/24")
    docker("run", "-d", "--net=host", "--name", wrapper, mode, line, WRAPPER, "sleep", "100000")
    try:
        hosts = container(variable(f"{name} @CONTAINER_NAME@ 10.1.1.3/24"), net="host")
        last = container(variable(f"{name} @CONTAINER_NAME@ 10.1.1.2/24"))
        with watching(words=(FLAG,)) as watch:
            assert becomes(f"docker:{first.name} eth1 10.1.1.1/24", f"docker:{last.name} eth1 10.1.1.2/24"), (
                watch.told()
            )
            assert watch.says(f"let one of the two do it: docker stop {wrapper}\n"), watch.told()
            assert watch.says(f"{hosts.name} shares this host's network"), watch.told()
            assert watch.told().count("pipework: ") == 2, watch.told()
    finally:
        docker("rm", "-f", wrapper)
        docker("rmi", WRAPPER)


def test_short_lives(container: Containers, bridge: Bridge) -> None:
    """A container without lines that is gone before it is looked at is not worth a word."""
    name = bridge()
    with watching(words=(FLAG,)) as watch:
        watch.process.send_signal(signal.SIGSTOP)
        docker("run", "--rm", "--net=none", IMAGE, "true")
        watch.process.send_signal(signal.SIGCONT)
        web = container(variable(f"{name} @CONTAINER_NAME@ 10.1.1.1/24"))
        assert becomes(f"docker:{web.name} eth1 10.1.1.1/24"), watch.told()
        assert "pipework: " not in watch.told(), watch.told()


@pytest.mark.parametrize("serves", [False, True], ids=["program", "server"])
def test_podman(serves: bool, podman: Callable[..., PodmanContainer], bridge: Bridge) -> None:
    """The same for podman, with a server and without."""
    name = bridge()
    there = podman(variable(f"{name} @CONTAINER_NAME@ 10.1.1.9/24"))
    with podman_service() if serves else nullcontext(), watching(words=(FLAG,)) as watch:
        wires = [f"podman:{there.name} eth1 10.1.1.9/24"]
        assert becomes(*wires), watch.told()
        line = variable("@HOSTNAME@ podman:@CONTAINER_ID@ 10.1.1.@INSTANCE@/24")
        web = podman(line, f"--hostname={name}", name=f"{fresh_name('pwpod')}-3")
        wires += [f"podman:{web.name} eth1 10.1.1.3/24"]
        assert becomes(*wires), watch.told()
        run("podman", "restart", "-t", "0", web.name)
        assert watch.says(f"+ podman:{web.name}: {name} podman:{web.id[:12]} 10.1.1.3/24", 2), watch.told()
        assert becomes(*wires), watch.told()
        assert "pipework: " not in watch.told(), watch.told()
