"""TCP between two guests: a firewall can let a ping pass and drop that, and so can a veth without its checksums."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.guest import SLOW, Guest

PORT = 7007
SENT = 200_000  # bytes, more than a window
SERVER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family) as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((sys.argv[1], int(sys.argv[2])))
    server.listen()
    print("ready", flush=True)
    connection, _ = server.accept()
    with connection:
        while connection.recv(1 << 16):
            pass
        connection.sendall(b"done")
"""
CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[4])) as connection:
        connection.sendall(bytes(int(sys.argv[3])))
        connection.shutdown(socket.SHUT_WR)
        sys.exit(connection.recv(16) != b"done")
except OSError:
    sys.exit(1)
"""


def reaches(client: Guest, server: Guest, address: str, wait: float = 10.0) -> bool:
    """Whether one guest can send another, which has that address, some data over TCP; wait: seconds for an answer.

    What it has learned of its neighbours before, that they do not answer say, it forgets.
    """
    client.run("ip", "neigh", "flush", "all")
    python = (sys.executable, "-I", "-S", "-c")
    listening = subprocess.Popen(
        [*server.enter(*python, SERVER, address, str(PORT))], stdout=subprocess.PIPE, text=True
    )
    try:
        assert listening.stdout
        assert listening.stdout.readline() == "ready\n", f"{server.name} cannot listen at {address}"
        words = (address, str(PORT), str(SENT), str(wait * SLOW))
        return subprocess.run([*client.enter(*python, CLIENT, *words)], check=False).returncode == 0
    finally:
        listening.kill()
        listening.communicate()
