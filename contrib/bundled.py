"""Starts the command from one file that has the code that an attach takes, which saves it 3 of 28 ms (make bench).

launcher.py compiles this, and a call of start() with what it is to find.  The code of the modules stands behind that in
the file, out of Python's sight: it would read all of it in small pieces.  Little is imported here that is no part of
the interpreter, __future__ neither, for that is looked for elsewhere.
"""

import gc
import sys
from _frozen_importlib import ModuleSpec  # which importlib shows as importlib.machinery.ModuleSpec
from marshal import loads
from mmap import ACCESS_READ, mmap
from posix import O_CLOEXEC, O_RDONLY, close, open, stat


def start(
    path: tuple[str, ...],
    bundles: dict[str, tuple[int, dict[str, tuple[str, bool, int, int]]]],
    mark: bytes,
    length: int,
) -> None:
    """Run the command.

    path: where packages are; bundles: by folder, when a file was last put into it, or taken out (nanoseconds since the
    epoch): if that is no longer so, its code may be another; and its modules by name: the file of the source, whether
    it is a package, and where its code begins and ends.  mark: what all the code, of that length in bytes, begins with.
    """
    modules = {}
    codes = mapped_end(__file__, length)
    if codes[: len(mark)] == mark:  # else another bundle has just come into the place of this one
        for folder, (stamp, inside) in bundles.items():
            if stat(folder).st_mtime_ns == stamp:
                modules.update(inside)

    class Bundled:
        """A finder and loader as importlib.abc has them."""

        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
            if name not in modules:
                return None
            file, is_package, *_ = modules[name]
            spec = ModuleSpec(name, Bundled, origin=file, is_package=is_package)  # type: ignore[arg-type]
            if is_package:
                spec.submodule_search_locations = [file.rpartition("/")[0]]
            return spec

        @staticmethod
        def create_module(spec: ModuleSpec) -> None:
            return None

        @staticmethod
        def exec_module(module: object) -> None:
            # a spec that tells it works out where a .pyc would be, too, which takes longer than to find the module
            module.__file__, _, begin, end = modules[module.__name__]
            exec(loads(codes[begin:end]), module.__dict__)

    gc.disable()  # it would look through what the imports make, which all stays
    sys.path += path
    del sys.argv[0]  # this file; behind it stands what the command was called
    sys.meta_path.insert(0, Bundled)  # type: ignore[arg-type]
    from pipework.cli import main

    main()


def mapped_end(file: str, length: int) -> memoryview:
    """The last bytes of a file.  What is never looked at is not read: each page of memory takes 2 us to come by."""
    opened = open(file, O_RDONLY | O_CLOEXEC)
    try:
        return memoryview(mmap(opened, 0, access=ACCESS_READ))[-length:]
    finally:
        close(opened)
