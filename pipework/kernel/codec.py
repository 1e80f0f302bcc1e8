"""pyroute2's message classes without the rest of pyroute2.

``import pyroute2`` runs the package's ``__init__``, which brings asyncio, NDB and more: five times the
time of the message classes alone, at every start of the command.  So the classes load under a bare
module that has the package's path but has not run its ``__init__``; and pyroute2.config, which only
takes three names from multiprocessing, gets them from a stand-in.  Should a release of pyroute2 need
its ``__init__`` after all, the ordinary import takes over.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType

_MODULES = ("", ".rtnl.ifinfmsg", ".rtnl.ifaddrmsg", ".rtnl.rtmsg", ".rtnl.nsidmsg")


def _import_all() -> tuple[ModuleType, ...]:
    return tuple(import_module(f"pyroute2.netlink{name}") for name in _MODULES)


def _import_under_bare_package() -> tuple[ModuleType, ...]:
    spec = PathFinder.find_spec("pyroute2")
    if "pyroute2" in sys.modules or spec is None or spec.submodule_search_locations is None:
        return _import_all()
    bare = ModuleType("pyroute2")
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules["pyroute2"] = bare
    stand_in = ModuleType("multiprocessing")
    stand_in.Pipe = stand_in.Queue = stand_in.Process = None  # type: ignore[attr-defined]
    absent = "multiprocessing" not in sys.modules
    if absent:
        sys.modules["multiprocessing"] = stand_in
    try:
        return _import_all()
    except (ImportError, AttributeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "pyroute2"]:
            del sys.modules[name]
    finally:
        # who wants the whole packages can still import them
        sys.modules.pop("pyroute2", None)
        if absent:
            del sys.modules["multiprocessing"]
    return _import_all()


_base, _link, _addr, _route, _nsid = _import_under_bare_package()

nlmsg, nlmsgerr = _base.nlmsg, _base.nlmsgerr
ifinfmsg, ifaddrmsg, rtmsg, nsidmsg = _link.ifinfmsg, _addr.ifaddrmsg, _route.rtmsg, _nsid.nsidmsg
