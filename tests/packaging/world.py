"""A provider and a client inside a container: the provider in a network namespace of its own."""

import json
from pathlib import Path

from container import Container, wait_for

ORIGIN = "198.18.0.10"
PROGRAMS = Path(__file__).with_name("programs")

NETWORK = f"""
ip netns add lunar-origin
ip link add lunar-uplink type veth peer name lunar-origin0 netns lunar-origin
ip address add 198.18.0.1/24 dev lunar-uplink
ip link set lunar-uplink up
ip route add default via {ORIGIN}
ip -n lunar-origin address add {ORIGIN}/24 dev lunar-origin0
ip -n lunar-origin link set lunar-origin0 up
ip -n lunar-origin link set lo up
# The origin is reached by way of a host route, as a provider is: connected networks are not captured.
ip -n lunar-origin address add 198.18.100.1/32 dev lo
"""
PROVIDER = "198.18.100.1"


class World:
    def __init__(self, machine: Container):
        self.machine = machine

    def start(self):
        for program in PROGRAMS.iterdir():
            self.machine.put(program, f"opt/{program.name}")
        self.machine.shell(NETWORK)
        self.machine.run("systemd-run", "--quiet", "--unit=origin", "--service-type=notify",
                         "--property=NetworkNamespacePath=/run/netns/lunar-origin",
                         "python3", "/opt/origin.py", PROVIDER)

    def start_client(self):
        self.machine.run("systemd-run", "--quiet", "--unit=client", "--service-type=notify", "--remain-after-exit",
                         "python3", "/opt/client.py", PROVIDER)
        wait_for("a first answer", lambda: self.progress()["answered"] > 0, 10)

    def attach_client(self):
        self.machine.run("lunarctl", "attach", "client.service")
        wait_for("captured requests", lambda: self.captured() > 0, 10)

    def progress(self) -> dict:
        return json.loads(self.machine.root("run/client.json").read_text())

    def answered(self, more: int, seconds: float = 20):
        """Waits until the client has got `more` further answers."""
        goal = self.progress()["answered"] + more
        wait_for(f"{more} further answers", lambda: self.progress()["answered"] >= goal, seconds)

    def captured(self) -> int:
        """Requests of the client that the gateway has finished, from the access log."""
        log = self.machine.root("var/log/lunar/access.log")
        return log.read_text().count(PROVIDER) if log.exists() else 0

    def stop_client(self) -> dict:
        self.machine.run("systemctl", "kill", "--signal=TERM", "client.service")
        wait_for("the client's last word", lambda: self.progress()["ended"], 10)
        return self.progress()
