"""The generator and origin process, spoken to over its standard input and output."""

import contextlib
import json
import subprocess

from . import arena as arenas

PATIENCE = 10  # seconds for it to end


class Peer:
    def __init__(self, arena, program):
        self._arena = arena
        self._process = subprocess.Popen(
            arena.inside(arena.peer_core, program, f"/run/netns/{arena.origin_netns}", arenas.ORIGIN, arenas.TLS_ORIGIN,
                         arena.certificates.origin),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"bench_peer ended with status {self._process.wait()}")
        return json.loads(line)

    def order(self, load, **arguments):
        self._process.stdin.write(json.dumps({"load": load, **arguments}) + "\n")
        return self._answer()

    def move_to(self, cgroup):
        """Connections belong to the cgroup in which their socket was made: only later ones are concerned."""
        (cgroup / "cgroup.procs").write_text(str(self._process.pid))

    def stop(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
