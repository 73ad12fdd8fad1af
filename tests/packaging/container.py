"""A container with systemd as PID 1, made of namespaces alone.

Nothing but util-linux is needed, so that it works where no container engine is installed. The tree below it is
never changed: what the container writes goes to memory and ends with it.
"""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

BOOT = Path(__file__).with_name("boot_container")
SYSTEMD = ("/lib/systemd/systemd", "--log-target=journal")


class CommandFailed(AssertionError):
    pass


def cgroup2_mount() -> Path:
    """Where the unified hierarchy is mounted; it is not /sys/fs/cgroup on hosts that still mount the old ones."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, source = line.partition(" - ")
        if source.split()[0] == "cgroup2":
            return Path(fields.split()[4])
    raise CommandFailed("no cgroup2 is mounted on this machine: mount -t cgroup2 none /sys/fs/cgroup/unified")


def own_cgroup() -> Path:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        if line.startswith("0::"):
            return cgroup2_mount() / line[3:].lstrip("/")
    raise CommandFailed("this process is in no cgroup of the unified hierarchy")


def wait_for(what: str, condition, seconds: float):
    """Returns the first true value of condition(); there is no event to wait on across namespaces."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise CommandFailed(f"after {seconds} s still waiting for: {what}")
        time.sleep(0.02)


def remove_cgroup(cgroup: Path):
    (cgroup / "cgroup.kill").write_text("1")
    wait_for(f"an empty {cgroup}", lambda: "populated 0" in (cgroup / "cgroup.events").read_text(), 10)
    for folder, _, _ in os.walk(cgroup, topdown=False):
        os.rmdir(folder)


class Container:
    """Booted by `with`; left empty-handed: its processes, cgroup, mounts and namespaces end with the block."""

    def __init__(self, tree: Path, scratch: Path | None = None, isolated_network: bool = True):
        """What it writes goes to memory, or to scratch/upper where that exists."""
        self.tree = tree
        self.isolated_network = isolated_network
        self.cgroup = own_cgroup() / f"lunar-container-{os.getpid()}-{id(self):x}"
        self.scratch = scratch or tree.parent / "scratch"  # covered by a mount that only the container sees
        self.launcher = None
        self.init = 0

    def __enter__(self):
        self._make_folders()
        self.launcher = subprocess.Popen(self.boot_command(*SYSTEMD), stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            self.init = wait_for("the container's first process", self._first_child, 10)
            wait_for("systemd as PID 1", self._is_systemd, 20)
            self._await_boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def boot_command(self, *first_process) -> list:
        # Ends with this process, however that ends.
        return ["setpriv", "--pdeathsig", "KILL", "unshare", *self.namespaces(), "--fork", "--kill-child=KILL", "--propagation", "private", "--",
                BOOT, "join", self.cgroup, self.tree, self.scratch, *first_process]

    def namespaces(self) -> list:
        return ["--pid", "--mount", "--ipc", "--uts"] + (["--net"] if self.isolated_network else [])

    def run_without_systemd(self, *argv) -> int:
        """Runs the command as PID 1, its output on ours; instead of `with`."""
        self._make_folders()
        try:
            return subprocess.run(self.boot_command(*argv), stdin=subprocess.DEVNULL).returncode
        finally:
            remove_cgroup(self.cgroup)

    def __exit__(self, *_):
        if self.init and self.launcher.poll() is None:
            os.kill(self.init, signal.SIGRTMIN + 4)  # systemd: power off, stopping every unit in order
            try:
                self.launcher.wait(timeout=45)
            except subprocess.TimeoutExpired:
                pass
        self.launcher.kill()
        self.launcher.wait()
        remove_cgroup(self.cgroup)

    def _make_folders(self):
        for left in self.cgroup.parent.glob("lunar-container-*"):
            if not Path(f"/proc/{left.name.split('-')[2]}").exists():
                remove_cgroup(left)  # of a run that was killed
        self.cgroup.mkdir()
        self.scratch.mkdir(exist_ok=True)

    def _first_child(self):
        if self.launcher.poll() is not None:
            raise CommandFailed(f"boot_container ended with code {self.launcher.returncode} before systemd")
        pid = self.launcher.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else 0

    def _is_systemd(self):
        if self.launcher.poll() is not None:
            raise CommandFailed(f"boot_container ended with code {self.launcher.returncode} before systemd")
        return Path(f"/proc/{self.init}/comm").read_text().strip() == "systemd"

    def _await_boot(self):
        wait_for("the system bus", lambda: self.root("run/dbus/system_bus_socket").exists(), 30)
        state = self.run("systemctl", "is-system-running", "--wait", check=False, timeout=60).stdout.strip()
        if state != "running":
            failed = self.run("systemctl", "--failed", "--no-legend", check=False).stdout
            raise CommandFailed(f"the container came up '{state}':\n{failed}{self.journal()}")

    def root(self, path: str) -> Path:
        """A file of the container, as seen from outside; symbolic links in it are not followed inside."""
        return Path(f"/proc/{self.init}/root") / path.lstrip("/")

    def command(self, *argv) -> list:
        environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=/root",
                       "DEBIAN_FRONTEND=noninteractive"]
        return ["nsenter", "--target", str(self.init), *self.namespaces(), "--cgroup", "--root", "--wd", "--", *environment,
                *map(str, argv)]

    def run(self, *argv, check=True, timeout=60) -> subprocess.CompletedProcess:
        done = subprocess.run(self.command(*argv), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise CommandFailed(f"{shlex.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shell(self, script: str, **options) -> subprocess.CompletedProcess:
        return self.run("sh", "-euc", script, **options)

    def put(self, source: Path, destination: str):
        target = self.root(destination)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode & 0o777)

    def write(self, destination: str, text: str):
        target = self.root(destination)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def journal(self, unit: str = "") -> str:
        selection = ["--unit", unit] if unit else []
        return self.run("journalctl", "--no-pager", "--output=short-monotonic", "--lines=200", *selection,
                        check=False).stdout

    def show(self, unit: str, property_name: str) -> str:
        return self.run("systemctl", "show", "--value", "--property", property_name, unit).stdout.strip()
