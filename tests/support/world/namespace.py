"""A network namespace with its own view of /etc, entered by pid of its anchor process."""

import ctypes
import os
import queue
import socket
import subprocess
import sys
import threading
from pathlib import Path

CLONE_NEWNET = 0x40000000
ANCHOR = Path(__file__).with_name("namespace_anchor.py")


class Namespace:
    def __init__(self, name, binds=None):
        self.name = name
        argv = [sys.executable, str(ANCHOR), name]
        argv += [f"{target}={source}" for target, source in (binds or {}).items()]
        self._anchor = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)  # out of reach of an interrupt from the terminal
        if self._anchor.stdout.readline() != "ready\n":
            raise RuntimeError(f"namespace {name} could not be made")
        self.pid = self._anchor.pid
        self.inode = os.stat(f"/proc/{self.pid}/ns/net").st_ino
        self._wanted, self._made = queue.Queue(), queue.Queue()
        self._thread = threading.Thread(target=self._make_sockets, daemon=True)
        self._thread.start()

    def enter(self, argv):
        """argv of a command that runs `argv` in this namespace under the same pid."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", "--", *argv]

    def run(self, *argv, check=True, input=None):
        done = subprocess.run(self.enter(argv), capture_output=True, text=True, input=input)
        if check and done.returncode != 0:
            raise RuntimeError(f"{' '.join(argv)} in {self.name}: {done.stderr.strip()}")
        return done

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """A socket that belongs to this namespace, for use by the test process itself.

        A thread that has entered the namespace makes it; a socket stays where it was made.
        """
        self._wanted.put((family, kind))
        made = self._made.get()
        if isinstance(made, OSError):
            raise made
        return made

    def connect(self, address, timeout=10.0):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        connection = self.socket(family)
        connection.settimeout(timeout)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    def close(self):
        self._wanted.put(None)
        self._thread.join()
        self._anchor.stdin.close()
        self._anchor.wait()
        self._anchor.stdout.close()

    def _make_sockets(self):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/proc/{self.pid}/ns/net", "rb") as ns:
            if libc.setns(ns.fileno(), CLONE_NEWNET) != 0:
                error = OSError(ctypes.get_errno(), "setns")
                while self._wanted.get() is not None:
                    self._made.put(error)
                return
        while (wanted := self._wanted.get()) is not None:
            try:
                self._made.put(socket.socket(*wanted))
            except OSError as error:
                self._made.put(error)
