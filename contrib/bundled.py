"""Finds the modules of the package in one file, in place of a file for each, which takes a fifth of an attach.

launcher.py puts this, compiled, at the head of that file.
"""

from __future__ import annotations

import sys
from _frozen_importlib import ModuleSpec  # which importlib shows as importlib.machinery.ModuleSpec
from marshal import loads
from posix import stat


def install(bundle: bytes, folder: str, stamp: int, modules: dict[str, tuple[str, bool, int, int]]) -> None:
    """Find them there, unless the package's folder has changed since (its st_mtime_ns is not the stamp): the code may
    have, too.

    modules: name -> file of the source, whether it is a package, where its code begins, counted from the end of the
    bundle, and its length.
    """

    class Bundled:
        """A finder and loader as importlib.abc has them."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            if name not in modules:
                return None
            file, is_package, _, _ = modules[name]
            spec = ModuleSpec(name, Bundled, origin=file, is_package=is_package)  # type: ignore[arg-type]
            spec.has_location = True
            if is_package:
                spec.submodule_search_locations = [file.rpartition("/")[0]]
            return spec

        @staticmethod
        def create_module(spec: ModuleSpec) -> None:
            return None

        @staticmethod
        def exec_module(module: object) -> None:
            _, _, start, length = modules[module.__name__]
            start = len(bundle) - start
            exec(loads(memoryview(bundle)[start : start + length]), module.__dict__)

    if stat(folder).st_mtime_ns == stamp:
        sys.meta_path.insert(0, Bundled)  # type: ignore[arg-type]
