"""Debian's own kernel, unpacked into the checkout: what the virtual machine boots.

`python -m tests.vm.kernel` makes it ready.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.lab.command import CHECKOUT
from tests.lab.guest import run

HERE = Path(__file__).resolve().parent
CACHE = CHECKOUT / ".cache" / "vm"
# Kernel versions leave the mirror; this name always leads to the one that is there.
METAPACKAGE = "linux-image-6.12-amd64"
# What it takes to mount the host's root file system.
EARLY_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")


class Kernel(NamedTuple):
    """A kernel that is ready to boot."""

    release: str
    image: Path
    initramfs: Path
    modules: Path


def _kernel(tree: Path, release: str) -> Kernel:
    modules = tree / "lib" / "modules" / release
    return Kernel(release, tree / "boot" / f"vmlinuz-{release}", tree / "initramfs", modules)


def prepare() -> Kernel:
    """Return the kernel in the cache; fetch, unpack and complete one if there is none."""
    done = CACHE / "release"
    if not done.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        release = _release()
        print(f"Unpacking Linux {release}", flush=True)
        base = release.rsplit("-", 1)[0]
        _unpack(CACHE / "tree", f"linux-image-{release}")
        _unpack(CACHE / "headers", f"linux-headers-{release}", f"linux-headers-{base}-common", f"linux-kbuild-{base}")
        done.write_text(release)
    kernel = _kernel(CACHE / "tree", done.read_text())
    _add_module(kernel, HERE / "voidib")
    _build_initramfs(kernel)
    return kernel


def _release() -> str:
    """Ask apt which kernel the metapackage stands for."""
    asked = ["apt-cache", "depends", METAPACKAGE]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    if "Depends:" not in told:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        told = run(*asked)
    found = re.search(r"Depends: linux-image-(\S+)", told)
    if not found:
        raise RuntimeError(f"{METAPACKAGE} depends on no kernel:\n{told}")
    return found[1]


def _unpack(tree: Path, *packages: str) -> None:
    """Download packages and unpack them, without installing any."""
    folder = CACHE / "packages"
    folder.mkdir()
    download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    if subprocess.run(download, cwd=folder, check=False).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(download, cwd=folder, check=True)
    for archive in folder.iterdir():
        run("dpkg-deb", "--extract", str(archive), str(tree))
    shutil.rmtree(folder)


def _older(product: Path, *sources: Path) -> bool:
    return not product.exists() or any(product.stat().st_mtime < source.stat().st_mtime for source in sources)


def _add_module(kernel: Kernel, source: Path) -> None:
    """Build a module of ours against the kernel's headers, and put it among the kernel's own."""
    product = kernel.modules / "extra" / f"{source.name}.ko"
    if not _older(product, *source.iterdir()) and (kernel.modules / "modules.dep.bin").exists():
        return
    print(f"Building {source.name}", flush=True)
    headers = CACHE / "headers" / "usr" / "src"
    tree = headers / f"linux-headers-{kernel.release}"
    # The package names the place where it would be installed.
    makefile = tree / "Makefile"
    makefile.write_text(makefile.read_text().replace("include /usr/src/", f"include {headers}/"))
    work = CACHE / source.name
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    # Empty: no debugging types, which take a tool of their own.
    run("make", "-s", "-C", str(tree), f"M={work}", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules", timeout=300)
    product.parent.mkdir(exist_ok=True)
    shutil.copy(work / product.name, product)
    run("depmod", "-b", str(CACHE / "tree"), kernel.release)


def _build_initramfs(kernel: Kernel) -> None:
    """Pack busybox, the first init and the modules that it loads, in their order."""
    init = HERE / "first-init"
    if not _older(kernel.initramfs, init, Path(__file__)):
        return
    folder = CACHE / "initramfs"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "bin").mkdir(parents=True)
    (folder / "modules").mkdir()
    shutil.copy(os.path.realpath("/bin/busybox"), folder / "bin" / "busybox")
    shutil.copy(init, folder / "init")
    (folder / "init").chmod(0o755)
    shown = run("modprobe", "-d", str(CACHE / "tree"), "-S", kernel.release, "-a", "--show-depends", *EARLY_MODULES)
    files = dict.fromkeys(line.split()[1] for line in shown.splitlines() if line.startswith("insmod "))
    for number, file in enumerate(map(Path, files)):
        content = lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
        (folder / "modules" / f"{number:02}-{file.name.split('.')[0]}.ko").write_bytes(content)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    packed = subprocess.run(
        ["busybox", "cpio", "-o", "-H", "newc"],
        input="\n".join(names).encode(),
        cwd=folder,
        capture_output=True,
        check=True,
    )
    kernel.initramfs.write_bytes(packed.stdout)


if __name__ == "__main__":
    prepare()
