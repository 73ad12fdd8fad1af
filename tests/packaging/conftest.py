"""The package under test, and machines to install it on."""

import os
import subprocess
from pathlib import Path

import pytest
from container import Container
from debian_tree import TOOLS, debian_tree
from world import World

BUILD = Path(os.environ["LUNAR_BUILD_DIR"])  # set by CTest: holds the programs and CPackConfig.cmake
SOURCE = Path(os.environ["LUNAR_SOURCE_DIR"])
CACHE = SOURCE / "build/packaging"


def make_package(folder: Path, version: str) -> Path:
    subprocess.run(["cpack", "-G", "DEB", "-B", folder, "-D", f"CPACK_PACKAGE_VERSION={version}"], cwd=BUILD, check=True,
                   stdout=subprocess.DEVNULL)
    (package,) = folder.glob("*.deb")
    return package


def field(package: Path, name: str) -> str:
    return subprocess.run(["dpkg-deb", "-f", package, name], check=True, text=True, capture_output=True).stdout.strip()


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    return make_package(tmp_path_factory.mktemp("package"), "0.1.0-1")


@pytest.fixture(scope="session")
def newer_package(tmp_path_factory) -> Path:
    return make_package(tmp_path_factory.mktemp("newer"), "0.1.1-1")


@pytest.fixture(scope="session")
def tree(package) -> Path:
    """A Debian that has what the package depends on, since the containers have no network to fetch it from."""
    depends = [alternative.split()[0] for alternative in field(package, "Depends").split(",")]
    return debian_tree(CACHE, [*TOOLS, *depends])


@pytest.fixture
def machine(tree):
    with Container(tree) as container:
        yield container


@pytest.fixture
def installed(machine, package):
    """A machine with the package installed and its service running."""
    machine.put(package, "root/lunar.deb")
    machine.run("dpkg", "--force-unsafe-io", "--install", "/root/lunar.deb", timeout=120)
    return machine


@pytest.fixture
def world(installed):
    """An origin at the other end of a link, and a client unit that calls it and is captured."""
    world = World(installed)
    world.start()
    return world
