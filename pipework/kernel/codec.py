"""pyroute2's message classes without the rest of pyroute2.

``import pyroute2`` runs the package's ``__init__``, which brings asyncio, NDB and more: five times the
time of the message classes alone, at every start of the command.  So the classes load under a bare
module that has the package's path but has not run its ``__init__``.

Half of what is left goes into what the classes import and a short-lived command does not use: modules of
the standard library for their log messages and locks, or of which pyroute2.config only passes names on, and
the kinds of links that pipework neither makes nor reads.  Stand-ins take their place while the classes load,
and the classes so made stay ours alone.  Should a release of pyroute2 need any of it after all, the ordinary
import takes over.
"""

from __future__ import annotations

import os
import sys
from collections import namedtuple
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

from pipework.typed import Any

_KINDS = "bond can geneve gtp ipvlan team tun tuntap vrf vti vti6 vxlan xfrm"
_MODULES = ("", ".rtnl.ifinfmsg", ".rtnl.ifaddrmsg", ".rtnl.rtmsg", ".rtnl.nsidmsg")
_Uname = namedtuple("_Uname", "system node release version machine processor")


class _Hollow(ModuleType):
    """A module of which every name can be called, to no effect: loggers that say nothing, classes never used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *_: Any, **__: Any) -> Any:
        return self

    def __getitem__(self, _: Any) -> Any:
        return self


def _stand_ins() -> dict[str, ModuleType]:
    """For what nobody has imported yet."""
    platform = ModuleType("platform")
    uname = _Uname(*os.uname(), "")
    platform.uname = lambda: uname  # type: ignore[attr-defined]
    platform.machine = lambda: uname.machine  # type: ignore[attr-defined]
    platform.architecture = lambda **_: ("64bit" if sys.maxsize > 1 << 32 else "32bit", "ELF")  # type: ignore[attr-defined]
    hollow = [_Hollow(name) for name in ("logging", "traceback", "multiprocessing", "threading", "pkgutil", "typing")]
    kinds = [ModuleType(f"pyroute2.netlink.rtnl.ifinfmsg.plugins.{kind}") for kind in _KINDS.split()]
    for module in kinds:
        setattr(module, module.__name__.rpartition(".")[2], None)
    return {module.__name__: module for module in [*hollow, *kinds, platform] if module.__name__ not in sys.modules}


def _import_all() -> tuple[ModuleType, ...]:
    return tuple(import_module(f"pyroute2.netlink{name}") for name in _MODULES)


def _import_under_bare_package() -> tuple[ModuleType, ...]:
    spec = PathFinder.find_spec("pyroute2")
    if "pyroute2" in sys.modules or spec is None or spec.submodule_search_locations is None:
        return _import_all()
    bare = ModuleType("pyroute2")
    bare.__path__ = list(spec.submodule_search_locations)
    stand_ins = _stand_ins()
    sys.modules.update({"pyroute2": bare, **stand_ins})
    try:
        modules = _import_all()
        data = modules[1].ifinfmsg.ifinfo.data_map
        for kind in [kind for kind, layout in data.items() if layout is None]:
            del data[kind]  # its data is bytes, as that of every kind which pyroute2 does not know
        return modules
    except Exception:
        pass
    finally:  # who wants the whole modules can still import them
        for name in [name for name in sys.modules if name in stand_ins or name.split(".")[0] == "pyroute2"]:
            del sys.modules[name]
    return _import_all()


_base, _link, _addr, _route, _nsid = _import_under_bare_package()

nlmsg, nlmsgerr = _base.nlmsg, _base.nlmsgerr
ifinfmsg, ifaddrmsg, rtmsg, nsidmsg = _link.ifinfmsg, _addr.ifaddrmsg, _route.rtmsg, _nsid.nsidmsg
