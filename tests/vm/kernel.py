"""Debian's own kernel, unpacked into a folder: what the virtual machine boots.

`python -m tests.vm.kernel [FOLDER]` makes it ready, in the checkout's cache if no folder is named.
"""

from __future__ import annotations

import lzma
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.lab.command import CHECKOUT
from tests.lab.guest import run

HERE = Path(__file__).resolve().parent
CACHE = CHECKOUT / ".cache" / "vm"
# Kernel versions leave the mirror; these names always lead to the one that is there: Debian 12's newer, then anyone's.
METAPACKAGES = ("linux-image-6.12-amd64", "linux-image-amd64")
INSTALLER = CHECKOUT / "tests" / "lab" / "install-packages"
# What it takes to mount the host's root file system, and its network cards.
EARLY_MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay", "virtio_net")


class Kernel(NamedTuple):
    """A kernel that is ready to boot."""

    release: str
    image: Path
    initramfs: Path
    modules: Path


def ready(folder: Path) -> Kernel:
    """Return the kernel that has been made ready in a folder."""
    release = (folder / "release").read_text()
    tree = folder / "tree"
    modules = tree / "lib" / "modules" / release
    images = (tree / "boot" / f"vmlinuz-{release}", modules / "vmlinuz")  # the one, or from Debian 14 on the other
    return Kernel(release, next(filter(Path.exists, images)), tree / "initramfs", modules)


def prepare(folder: Path = CACHE) -> Kernel:
    """Return the kernel in a folder; fetch, unpack and complete one if there is none."""
    done = folder / "release"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        release = _release()
        print(f"Unpacking Linux {release}", flush=True)
        _unpack(folder, "tree", *_parts(f"linux-image-{release}", rf"linux-\S+-{re.escape(release)}"))
        if not (folder / "tree" / "lib").exists():
            (folder / "tree" / "lib").symlink_to("usr/lib")  # where newer Debians' packages have it
        _unpack(folder, "headers", *_parts(f"linux-headers-{release}", r"linux-(?:headers|kbuild)-\S+"))
        done.write_text(release)
    kernel = ready(folder)
    _add_module(folder, kernel, HERE / "voidib")
    _build_initramfs(folder, kernel)
    return kernel


def _release() -> str:
    """Ask apt which kernel the first of the metapackages stands for that there is."""
    if not _depended_on(METAPACKAGES[0], r"linux-image-\S+"):  # which lists may be too old to know
        subprocess.run(["apt-get", "update", "-qq"], check=True)
    for name in METAPACKAGES:
        for found in _depended_on(name, r"linux-image-\S+"):
            return found.removeprefix("linux-image-")
    raise RuntimeError(f"apt knows no kernel by these names: {', '.join(METAPACKAGES)}")


def _parts(package: str, others: str) -> list[str]:
    """A package and those that it is spread over, by the pattern of their names: Debians differ in both."""
    names = [package]
    for name in names:  # which grows
        names += [other for other in _depended_on(name, others) if other not in names]
    return names


def _depended_on(package: str, pattern: str) -> list[str]:
    """The packages that one depends on, by the pattern of their names; none where apt does not know it."""
    asked = ["apt-cache", "depends", package]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    return list(dict.fromkeys(re.findall(rf"Depends: ({pattern})$", told, re.MULTILINE)))


def _unpack(folder: Path, tree: str, *packages: str) -> None:
    """Download packages and unpack them, without installing any."""
    archives = folder / "packages"
    archives.mkdir()
    download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    if subprocess.run(download, cwd=archives, check=False).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(download, cwd=archives, check=True)
    for archive in archives.iterdir():
        run("dpkg-deb", "--extract", str(archive), str(folder / tree))
    shutil.rmtree(archives)


def _older(product: Path, *sources: Path) -> bool:
    return not product.exists() or any(product.stat().st_mtime < source.stat().st_mtime for source in sources)


def _add_module(folder: Path, kernel: Kernel, source: Path) -> None:
    """Build a module of ours against the kernel's headers, by its own compiler, and put it among the kernel's own."""
    product = kernel.modules / "extra" / f"{source.name}.ko"
    if not _older(product, *source.iterdir()) and (kernel.modules / "modules.dep.bin").exists():
        return
    print(f"Building {source.name}", flush=True)
    headers = folder / "headers" / "usr" / "src"
    tree = headers / f"linux-headers-{kernel.release}"
    compiler = re.search(r"gcc-\d+", (tree / ".kernelvariables").read_text())
    assert compiler, f"{tree}/.kernelvariables names no compiler"
    run("sh", str(INSTALLER), compiler[0], timeout=300)
    # The package names the place where it would be installed.
    makefile = tree / "Makefile"
    makefile.write_text(re.sub(r"(?<!\w)/usr/src/", f"{headers}/", makefile.read_text()))
    work = folder / source.name
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(source, work)
    # Empty: no debugging types, which take a tool of their own.
    run("make", "-s", "-C", str(tree), f"M={work}", "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules", timeout=300)
    product.parent.mkdir(exist_ok=True)
    shutil.copy(work / product.name, product)
    run("depmod", "-b", str(folder / "tree"), kernel.release)


def _build_initramfs(folder: Path, kernel: Kernel) -> None:
    """Pack busybox, the first init and the modules that it loads, in their order."""
    init = HERE / "first-init"
    if not _older(kernel.initramfs, init, Path(__file__)):
        return
    packed = folder / "initramfs"
    shutil.rmtree(packed, ignore_errors=True)
    (packed / "bin").mkdir(parents=True)
    (packed / "modules").mkdir()
    shutil.copy(os.path.realpath("/bin/busybox"), packed / "bin" / "busybox")
    shutil.copy(init, packed / "init")
    (packed / "init").chmod(0o755)
    shown = run("modprobe", "-d", str(folder / "tree"), "-S", kernel.release, "-a", "--show-depends", *EARLY_MODULES)
    files = dict.fromkeys(line.split()[1] for line in shown.splitlines() if line.startswith("insmod "))
    for number, file in enumerate(map(Path, files)):
        content = lzma.decompress(file.read_bytes()) if file.suffix == ".xz" else file.read_bytes()
        (packed / "modules" / f"{number:02}-{file.name.split('.')[0]}.ko").write_bytes(content)
    names = sorted(str(path.relative_to(packed)) for path in packed.rglob("*"))
    archive = subprocess.run(
        ["busybox", "cpio", "-o", "-H", "newc"],
        input="\n".join(names).encode(),
        cwd=packed,
        capture_output=True,
        check=True,
    )
    kernel.initramfs.write_bytes(archive.stdout)


if __name__ == "__main__":
    prepare(*map(Path, sys.argv[1:2]))
