"""A minimal Debian of the host's own release, made once with debootstrap and kept below build/.

Packages come from where the host's apt gets them, through the proxy that it uses: what works for `apt-get install`
on this machine works here.
"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

SYSTEM = ["systemd", "systemd-sysv", "dbus"]  # systemd is spoken to by way of dbus
TOOLS = ["iproute2", "procps", "curl", "python3", "bpftool"]  # what the tests use inside

MASKED = [
    "systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",  # /sys is not ours
    "getty@tty1.service", "console-getty.service", "getty-static.service",                   # no terminal here
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
    "systemd-networkd-wait-online.service", "systemd-firstboot.service", "systemd-remount-fs.service",
]


def run(*argv, **options) -> str:
    return subprocess.run(list(map(str, argv)), check=True, text=True, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, **options).stdout


def release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise RuntimeError("/etc/os-release names no release: the packaging tests run on Debian")


def apt_sources() -> list:
    """The host's Debian sources, as (uri, suite, components); foreign repositories are left out."""
    wanted = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    found = {}
    for line in run("apt-get", "indextargets", "--format", wanted, "Created-By: Packages").splitlines():
        origin, uri, suite, component = line.split("|")
        if origin == "Debian":
            found.setdefault((uri, suite), set()).add(component)
    if not found:
        raise RuntimeError("apt knows no Debian source; run apt-get update")
    return [(uri, suite, sorted(components)) for (uri, suite), components in sorted(found.items())]


def apt_environment() -> dict:
    environment = dict(os.environ, LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive",
                       DEBCONF_NOWARNINGS="yes")
    for scheme in ("http", "https"):
        proxy = run("apt-config", "shell", "P", f"Acquire::{scheme}::Proxy").partition("=")[2].strip().strip("'")
        if proxy:
            environment[f"{scheme}_proxy"] = proxy
    return environment


def debian_tree(cache: Path, packages: list) -> Path:
    """The tree with SYSTEM and `packages` in it. A tree that was not finished is made anew."""
    wanted = sorted({*SYSTEM, *packages})
    name = hashlib.sha256("\n".join([release(), *wanted, *MASKED, *map(str, apt_sources())]).encode()).hexdigest()[:12]
    tree = cache / f"debian-{release()}-{name}"
    if tree.is_dir():
        return tree
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = cache / f"unfinished-{os.getpid()}"
    shutil.rmtree(unfinished, ignore_errors=True)
    make_tree(unfinished, wanted)
    unfinished.rename(tree)
    return tree


def inside(tree: Path, script: str, environment: dict):
    """A command in the tree, with the mounts that package scripts expect, gone when it ends."""
    mounts = 'mount -t proc proc "$0/proc"; mount -t devpts devpts "$0/dev/pts"; exec chroot "$0" sh -ec "$1"'
    run("unshare", "--mount", "--propagation", "private", "sh", "-ec", mounts, tree, script, env=environment)


def make_tree(tree: Path, packages: list):
    environment = apt_environment()
    sources = apt_sources()
    mirror = next(uri for uri, suite, _ in sources if suite == release())
    run("debootstrap", "--variant=minbase", "--include=ca-certificates", release(), tree, mirror, env=environment)
    (tree / "etc/apt/sources.list").write_text(
        "".join(f"deb {uri} {suite} {' '.join(components)}\n" for uri, suite, components in sources))
    # Debian's own switch against starting services while packages are laid into a tree.
    policy = tree / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    inside(tree, "apt-get -qq update", environment)
    inside(tree, f"apt-get -qq -y --no-install-recommends install {' '.join(packages)} >/dev/null", environment)
    inside(tree, "apt-get clean", environment)
    policy.unlink()
    for unit in MASKED:
        link = tree / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (tree / "etc/machine-id").write_text("5f1c6a2de3b04e0b9f8a7c6d5e4f3021\n")
    (tree / "etc/hostname").write_text("lunar-test\n")
