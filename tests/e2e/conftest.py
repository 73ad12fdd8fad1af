"""Fixtures: the world, the origins, the compiled clients, lunard; limits and the final check."""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]

from clients import Builds, Matrix, missing_programs  # noqa: E402
from h2_origins import H2Origins  # noqa: E402
from internet import Internet  # noqa: E402
from lunards import Lunards, shared_lunard  # noqa: E402
from tls_origins import TlsOrigins  # noqa: E402
from tls_pki import LocalAuthority  # noqa: E402
from world import leftovers  # noqa: E402
from world.deadline import wait_until  # noqa: E402
from world.lunard import gateway_user  # noqa: E402
from world.world import World  # noqa: E402

LIMIT = 120


def pytest_configure(config):
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))  # clean up as for an interrupt
    config.addinivalue_line("markers", "limit(seconds): the longest that this test may take")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test that hangs fails by itself; the session goes on and cleans up."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else LIMIT

    def expire(*_):
        raise TimeoutError(f"{item.name} took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, expire)
    signal.alarm(seconds)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def world():
    missing = missing_programs()
    assert not missing, f"install what the tests run: {', '.join(missing)}"
    world = World()
    spaces = {world.host.inode, world.net.inode}
    try:
        yield world
    finally:
        world.close()
    # A process that was ended leaves its namespace only when the kernel has buried it.
    wait_until(lambda: not leftovers.processes_in(spaces), 5, "no process is left in the namespaces")
    assert not world.cgroup.path.exists()
    assert not leftovers.mounts_below(world.directory)


@pytest.fixture(scope="session")
def internet(world):
    return Internet(world)


@pytest.fixture(scope="session")
def builds(world):
    return Builds(world.directory)


@pytest.fixture(scope="session")
def matrix(world, internet, builds):
    matrix = Matrix(world, internet.trust, builds)
    yield matrix
    matrix.close()


@pytest.fixture(scope="session")
def tls_origins(world, internet):
    return TlsOrigins(world, internet)


@pytest.fixture(scope="session")
def h2_origins(world, tls_origins):
    return H2Origins(world, tls_origins)


@pytest.fixture(scope="session")
def local_authority(world):
    return LocalAuthority(world.directory / "local-authority")


@pytest.fixture(scope="session")
def told(tls_origins, local_authority):
    """Trust of a client that knows the local authority, as all do but those of a test about trust."""
    return tls_origins.trust_with(local_authority)


@pytest.fixture
def make_lunard(world, internet, request):
    """Starts lunards; what of them still runs ends with the test."""
    with Lunards(world, request.node) as lunards:
        yield lunards.make


@pytest.fixture(scope="module")
def har_folder(world, request):
    """Where an exporter of the file's lunard can write; see lunards.har_exporter()."""
    folder = world.directory / f"har-of-{request.module.__name__}"
    folder.mkdir()
    shutil.chown(folder, gateway_user())
    return folder


@pytest.fixture(scope="module")
def lunard(world, internet, request):
    """One lunard for all tests of a file, with the captured cgroup attached."""
    yield from shared_lunard(world, request)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        lunards = [*getattr(item, "lunards", []), *getattr(item.getparent(pytest.Module), "lunards", [])]
        for lunard in lunards:
            report.sections.append((f"log of {lunard.directory.name}", lunard.log()[-8000:]))
