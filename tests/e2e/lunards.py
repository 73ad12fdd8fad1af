"""How tests get a lunard, and what must be left of it after a stop: nothing."""

from world import leftovers
from world.deadline import wait_until
from world.lunard import Lunard


class Lunards:
    """The lunards of one test or one file; their logs are shown when something fails."""

    def __init__(self, world, node):
        self.world, self.made = world, []
        node.lunards = self.made

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for lunard in self.made:
            lunard.end()

    def make(self, settings=None, gateway_config=None, files=None):
        number = len(list(self.world.directory.glob("lunard-*"))) + 1
        lunard = Lunard(self.world, f"lunard-{number}", settings, gateway_config, files)
        self.made.append(lunard)
        return lunard.start()


def assert_stops_and_leaves_nothing(lunard):
    pids = [lunard.supervisor_pid, lunard.gateway_pid()]
    held = leftovers.held_by(pids)
    assert {kind for kind, _ in held} == {"prog", "map", "link"}
    assert lunard.stop() == 0
    assert not lunard.cgroup.pids()
    # the kernel frees maps and programs a moment after their last descriptor is closed
    wait_until(lambda: not leftovers.still_in_kernel(held), 5, lambda: f"the kernel forgets {leftovers.still_in_kernel(held)}")
    listening = lunard.world.host.run("ss", "-Htln").stdout
    assert listening == ""
    assert not lunard.socket_path.exists()


# So that a slow machine does not send single connections direct where tests look for each in the access log. The drills
# use the default.
PATIENT = {"failsafe": {"heartbeat_deadline": "2s", "probe_interval": "200ms"}}


def har_exporter(folder):
    """The gateway_config with exporter `audit`, which writes FOLDER/audit.ndjson."""
    return {"exporters": {"file": {"exporter_id": "audit", "file_dir": str(folder), "file_name": "audit.ndjson"}}}


def shared_lunard(world, request, settings=None, **options):
    """Body of a fixture: one lunard with the captured cgroup attached, and a clean stop at the end."""
    with Lunards(world, request.node) as lunards:
        lunard = lunards.make({**PATIENT, **(settings or {})}, **options)
        lunard.attach(world.captured)
        yield lunard
        assert_stops_and_leaves_nothing(lunard)
