"""Hosts of OVN: a centre with the databases, and throwaway hosts with a switch and a controller of their own each."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.lab.command import COMMAND, Result, run_pipework
from tests.lab.guest import SLOW, eventually, listens, need, run
from tests.lab.host import throwaway_host
from tests.lab.netns import NamedNamespace, named_namespace
from tests.lab.switch_host import SCHEMA, SwitchHost

SCHEMAS = "/usr/share/ovn"
UNDERLAY = "10.0.0"  # the network of the centre, and of the hosts' tunnels, as docs/ovn.md has it
ROOTS = {"nb": ("OVN_Northbound", "NB_Global"), "sb": ("OVN_Southbound", "SB_Global")}
PORTS = "name,addresses,options,external_ids,dhcpv4_options"
FIRST_PORT = 16641  # of those by which the databases of a cluster talk to each other, on this machine
OWN_RUN = 'mkdir -p /run/pipework && mount --bind "$0" /run/pipework && exec "$@"'


class Centre:
    """The databases and who translates one into the other; hosts ask them by sockets, which are files.

    members: how many servers have the northbound database: one, nb, or a cluster of nb0, nb1 and so on; env: what leads
    programs to them; they also listen where they are told to (`set-connection`).
    """

    def __init__(self, place: Path, underlay: NamedNamespace, members: int = 1) -> None:
        self.place = place
        self.underlay = underlay
        self.members = ["nb"] if members == 1 else [f"nb{number}" for number in range(members)]
        self.env = {"OVN_NB_DB": self.database("nb"), "OVN_SB_DB": self.database("sb")}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for number, name in enumerate([*self.members, "sb"]):
            file, schema = str(place / f"{name}.db"), f"{SCHEMAS}/ovn-{name[:2]}.ovsschema"
            raft = [f"tcp:127.0.0.1:{FIRST_PORT + one}" for one in (number, 0)]
            if name in ("nb", "sb"):
                run("ovsdb-tool", "create", file, schema)
            elif number == 0:
                run("ovsdb-tool", "create-cluster", file, schema, raft[0])
            else:
                run("ovsdb-tool", "join-cluster", file, "OVN_Northbound", *raft)
            self.start(name)
        self.start("northd")
        self.nbctl("--wait=sb", "init")

    def database(self, name: str) -> str:
        """Where a database is: nb or sb."""
        return ",".join(f"unix:{self.place}/{one}.sock" for one in (self.members if name == "nb" else [name]))

    def leader(self) -> str:
        """Which member of a cluster leads it, "" for none."""
        asked = ("cluster/status", "OVN_Northbound")
        for name in self.members:
            told = run("ovs-appctl", "-t", f"{self.place}/{name}.ctl", *asked, check=False)
            if "Role: leader" in told:
                return name
        return ""

    def start(self, name: str) -> None:
        """Start a database, or northd."""
        if name == "northd":
            argv = ["ovn-northd", f"--ovnnb-db={self.database('nb')}", f"--ovnsb-db={self.database('sb')}"]
            argv.append(f"--unixctl={self.place}/northd.ctl")
        else:
            schema, root = ROOTS[name[:2]]
            argv = ["ovsdb-server", f"{self.place}/{name}.db", f"--remote=punix:{self.place}/{name}.sock"]
            argv += [f"--remote=db:{schema},{root},connections", f"--unixctl={self.place}/{name}.ctl"]
            for option, column in (
                ("private-key", "private_key"),
                ("certificate", "certificate"),
                ("ca-cert", "ca_cert"),
            ):
                argv.append(f"--{option}=db:{schema},SSL,{column}")
        words = [*argv, "--no-chdir", "-vconsole:off", f"--log-file={self.place}/{name}.log"]
        self.running[name] = subprocess.Popen(self.underlay.enter(*words), stdin=subprocess.DEVNULL)
        if name != "northd":
            assert eventually(lambda: listens(self.place / f"{name}.sock"))

    def stop(self, name: str, kill: bool = False) -> None:
        """End one of them."""
        process = self.running.pop(name)
        (process.kill if kill else process.terminate)()
        process.wait(30 * SLOW)

    def restart(self, name: str) -> None:
        """Start one again as soon as somebody has killed it."""
        self.running.pop(name).wait(60 * SLOW)
        self.start(name)

    def nbctl(self, *words: str) -> str:
        """Run ovn-nbctl."""
        return run("ovn-nbctl", f"--db={self.database('nb')}", f"--timeout={round(30 * SLOW)}", *words)

    def sbctl(self, *words: str) -> str:
        """Run ovn-sbctl."""
        return run("ovn-sbctl", f"--db={self.database('sb')}", f"--timeout={round(30 * SLOW)}", *words)

    def ports(self) -> list[str]:
        """The logical ports, a line of JSON each."""
        told = json.loads(self.nbctl("--format=json", f"--columns={PORTS}", "list", "Logical_Switch_Port"))
        return sorted(json.dumps(row) for row in told["data"])


class OvnHost(SwitchHost):
    """A host of OVN; chassis: what it is called there; address: of its tunnels.

    It switches in userspace, or in the kernel. It has locks and notes of its own.
    """

    controller: subprocess.Popen[bytes] | None = None

    def plug_in(self, centre: Centre, number: int, in_kernel: bool = False) -> None:
        """Get a name, and a cable to the hosts' LAN; OVN is not told yet."""
        self.centre, self.chassis, self.address = centre, f"host{number}", f"{UNDERLAY}.{10 + number}"
        self.run_folder = self.place / "run"
        self.run_folder.mkdir(0o700)
        self.env["OVN_RUNDIR"] = str(self.place)
        self.host.env.update(self.env)
        self.tell(
            **{"system-id": self.chassis, "hostname": self.chassis},
            **{"ovn-bridge-datapath-type": "system" if in_kernel else "netdev"},
        )
        lan, port = centre.underlay, f"p{number}"
        self.host.run("ip", "link", "add", "up0", "type", "veth", "peer", "name", port, "netns", lan.name)
        lan.batch(f"link set {port} master lan", f"link set {port} up")
        self.host.run("ip", "link", "set", "up0", "up")
        under = "up0"
        if not in_kernel:  # tunnels in userspace want their address on a bridge of the switch
            under = self.add_bridge("br-phy")
            self.vsctl("set", "bridge", under, "fail_mode=standalone", "--", "add-port", under, "up0")
            self.host.run("ethtool", "-K", "up0", "tx", "off")
        self.host.batch(f"addr add {self.address}/24 dev {under}", f"link set {under} up")

    def join(self) -> None:
        """Become one of the hosts of the centre."""
        self.tell(
            **{"ovn-remote": self.centre.database("sb"), "ovn-nb": self.centre.database("nb")},
            **{"ovn-encap-type": "geneve", "ovn-encap-ip": self.address},
        )
        self.start_controller()

    def tell(self, **ids: str) -> None:
        """Set external ids of the switch."""
        self.vsctl("set", "Open_vSwitch", ".", *(f'external_ids:{key}="{value}"' for key, value in ids.items()))

    def argv(self, *words: str) -> list[str]:
        """The command line that runs a program on this host, whose /run/pipework is its own."""
        return self.host.argv("sh", "-c", OWN_RUN, str(self.run_folder), *words)

    def pipework(self, *words: str, env: Mapping[str, str] | None = None) -> Result:
        return run_pipework(*words, env=env, on=self.argv())

    def start_pipework(self, *words: str) -> subprocess.Popen[str]:
        """Run pipework on this host while the test goes on."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.argv(*COMMAND, *words), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    def meddling(self, pattern: str, before: str = "", after: str = "") -> dict[str, str]:
        """The environment in which a shell's line is run before ovn-nbctl, or after it has done all and before anybody
        knows, for each call whose words match a shell's pattern.
        """
        folder = Path(tempfile.mkdtemp(dir=self.place))
        real, wrapper = shlex.quote(need("ovn-nbctl")), folder / "ovn-nbctl"
        wrapper.write_text(
            f'#!/bin/sh\ncase "$*" in {pattern})\n'
            f'{before or ":"}\ntold=$({real} "$@") || exit\n{after or ":"}\nprintf \'%s\\n\' "$told";;\n'
            f'*) exec {real} "$@";;\nesac\n'
        )
        wrapper.chmod(0o755)
        return {"PATH": f"{folder}:{os.environ['PATH']}"}

    def start_controller(self) -> None:
        """Start ovn-controller, and wait until it is connected."""
        self.launch_controller()
        self.await_connection()

    def launch_controller(self) -> None:
        """Start ovn-controller, which may have nobody to connect to yet."""
        self.controller = self._start("ovn-controller", f"unix:{self.place}/db.sock")

    def await_connection(self) -> None:
        """Wait until ovn-controller is connected, and has made its bridge."""
        assert self.controller
        asked = ("ovn-appctl", "-t", f"{self.place}/ovn-controller.{self.controller.pid}.ctl", "connection-status")
        assert eventually(lambda: self._run(*asked).stdout == "connected\n" and self.host.link("br-int"))

    def stop_controller(self, kill: bool = False) -> None:
        """End it; killed, it does not tell the database that this host has gone."""
        assert self.controller
        (self.controller.kill if kill else self.controller.terminate)()
        self.controller.wait(30 * SLOW)

    def kill(self) -> None:
        """End all that runs here, as a power cut does."""
        for process in (self.controller, self._switch, self.database):
            assert process
            process.kill()
            process.wait(30 * SLOW)

    def stop(self) -> None:
        if self.controller and self.controller.poll() is None:
            self.stop_controller(kill=True)
        super().stop()

    def rows(self) -> str:
        """The switch's rows without what OVN adds of its own, and the logical ports."""
        own = re.sub(r', \["ovn-installed(-ts)?", "[^"]*"\]', "", super().rows())
        of_bridges = re.sub(r'^(Bridge \["br-int", "[a-z]+", ).*?\]\]\], ', r"\1", own, flags=re.MULTILINE)
        return "\n".join([of_bridges, *self.centre.ports()])


@contextmanager
def centre(members: int = 1) -> Iterator[Centre]:
    """A centre, and a LAN for the hosts; members: of the northbound database's cluster."""
    need("ovn-nbctl")
    with tempfile.TemporaryDirectory(prefix="pipework-ovn-") as folder, named_namespace("pwlan") as underlay:
        underlay.batch("link add lan type bridge", f"addr add {UNDERLAY}.1/24 dev lan", "link set lan up")
        underlay.run("ethtool", "-K", "lan", "tx", "off")  # for hosts that switch in userspace
        made = Centre(Path(folder), underlay, members)
        try:
            yield made
        finally:
            for name in [*made.running]:
                made.stop(name)


@contextmanager
def ovn_host(of: Centre, number: int = 1, in_kernel: bool = False) -> Iterator[OvnHost]:
    """A host of that centre."""
    with host_to_be(of, number, in_kernel) as made:
        made.join()
        yield made


@contextmanager
def host_to_be(of: Centre, number: int = 1, in_kernel: bool = False) -> Iterator[OvnHost]:
    """A host on the LAN of that centre, whose switch runs."""
    with tempfile.TemporaryDirectory(prefix="pipework-ovn-") as folder, throwaway_host() as host:
        run("ovsdb-tool", "create", f"{folder}/conf.db", SCHEMA)
        made = OvnHost(host, Path(folder))
        try:
            assert eventually(lambda: listens(Path(folder, "db.sock")))
            made.vsctl("--no-wait", "init")
            made.start_switching()
            made.plug_in(of, number, in_kernel)
            yield made
        finally:
            made.stop()
