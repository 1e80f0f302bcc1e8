"""firewalld, asked over the system bus: no program, whose three starts would take a second.

Source: firewalld's D-Bus interface, org.fedoraproject.FirewallD1, as of 0.9 and later, which has policies.
"""

from __future__ import annotations

from functools import cache

from jeepney import DBusAddress, DBusErrorResponse, MessageFlag, new_method_call
from jeepney.auth import AuthenticationError
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import unwrap_msg

from pipework.typed import Any

NAME = "org.fedoraproject.FirewallD1"
PATH = "/org/fedoraproject/FirewallD1"
TIMEOUT = 20.0  # seconds: a reload takes some, and whoever asks waits for it
# what it and the bus say where a bridge is not, or no more, in the zone: firewall/errors.py of firewalld
GONE = (
    "UNKNOWN_INTERFACE",
    "ZONE_CONFLICT",
    "INVALID_ZONE",
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
)

Settings = dict[str, Any]  # what firewalld says of a zone or a policy, by its words for it


class Unwilling(Exception):
    """firewalld or the bus says no, or nothing.  is_gone: so there is nothing to take back."""

    def __init__(self, said: str, name: str = "") -> None:
        super().__init__(said or name)
        self.is_gone = name in GONE or said.partition(":")[0] in GONE


def zones() -> dict[str, Settings]:
    """All zones that are in force.  Raises Unwilling."""
    return {name: _settings("zone", "getZoneSettings2", name) for name in _call("zone", "getZones")}


def policies() -> dict[str, Settings]:
    """All policies that are in force.  Raises Unwilling."""
    return {name: _settings("policy", "getPolicySettings", name) for name in _call("policy", "getPolicies")}


def add_interface(zone: str, ifname: str) -> None:
    """Put an interface that is in no zone into one, until firewalld reloads.  Raises Unwilling."""
    _call("zone", "addInterface", zone, ifname)


def remove_interface(zone: str, ifname: str) -> None:
    """Take it out again.  Raises Unwilling."""
    _call("zone", "removeInterface", zone, ifname)


def _settings(what: str, method: str, name: str) -> Settings:
    return {key: value for key, (_, value) in _call(what, method, name).items()}


def _call(what: str, method: str, *words: str) -> Any:
    address = DBusAddress(PATH, NAME, f"{NAME}.{what}")
    asked = new_method_call(address, method, "s" * len(words), words)
    asked.header.flags |= MessageFlag.no_auto_start  # who has stopped it wants it stopped
    try:
        (said,) = unwrap_msg(_bus().send_and_get_reply(asked, timeout=TIMEOUT))
    except DBusErrorResponse as error:
        text = error.data[0] if error.data and isinstance(error.data[0], str) else ""
        raise Unwilling(text, error.name) from None
    except TimeoutError:
        raise Unwilling(f"no answer within {TIMEOUT:g} s") from None
    except (OSError, EOFError) as error:
        raise Unwilling(f"the system bus is gone: {error}") from None
    return said


@cache
def _bus() -> DBusConnection:
    try:
        return open_dbus_connection("SYSTEM")
    except (OSError, EOFError, AuthenticationError, RuntimeError) as error:
        raise Unwilling(f"cannot reach the system bus: {error}") from None
