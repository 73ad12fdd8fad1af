"""Starts every origin that the tests use: HTTP in four implementations, TLS, Redis, PostgreSQL, git."""

import pwd
import os
import shutil
import subprocess
import sys
from pathlib import Path

from clients import Trust
from world.addresses import NAMES

ORIGINS = Path(__file__).parent / "origins"
PYTHON = [sys.executable, "-B"]
GIB = 1 << 30


def both(name):
    return NAMES[f"{name}.example.com"]


class Internet:
    def __init__(self, world):
        self.world = world
        self.directory = world.directory / "internet"
        self.directory.mkdir()
        self.ca = self._certificates()
        self._python_origins()
        self._nginx()
        self._stores()
        self._git()

    def _python_origins(self):
        start = self.world.start_origin
        for name, port, script, runner in (
                ("raw", 80, "raw_origin.py", PYTHON), ("python", 80, "python_origin.py", PYTHON),
                ("node", 80, "node_origin.js", ["node"])):
            start(name, [*runner, ORIGINS / script, str(port), *both(name)], tcp=[(a, port) for a in both(name)])
        start("tcp", [*PYTHON, ORIGINS / "tcp_origin.py", *both("mail")],
              tcp=[(a, p) for a in both("mail") for p in (7, 9, 11, 13, 25, 26, 37)])

    def _certificates(self):
        """A test CA and one server certificate for *.example.com; returns the CA's file."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=Lunar end-to-end test CA", "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=nginx.example.com",
                "-keyout", "server.key", "-out", "server.csr")
        (self.directory / "names").write_text("subjectAltName=DNS:*.example.com\n")
        openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", "names", "-out", "server.pem")
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "test", "-file", "ca.pem", "-keystore", "ca.p12",
                        "-storetype", "PKCS12", "-storepass", "changeit"], cwd=self.directory, check=True, capture_output=True)
        return self.directory / "ca.pem"

    @property
    def trust(self):
        return Trust(self.ca, self.directory / "ca.p12")

    def _nginx(self):
        www = self.directory / "www"
        www.mkdir()
        (www / "hello").write_text("hello from nginx\n")
        (www / "text").write_text("compressible line of text\n" * 2000)
        (www / "megabyte").write_bytes(bytes(range(256)) * 4096)
        (www / "empty").write_bytes(b"")
        with open(www / "gigabyte", "wb") as big:
            big.truncate(GIB)
        (self.directory / "nobody").write_text("")
        v4, v6 = both("nginx")
        text = (ORIGINS / "nginx.conf").read_text()
        for key, value in (("@DIR@", str(self.directory)), ("@V4@", v4), ("@V6@", v6)):
            text = text.replace(key, value)
        (self.directory / "nginx.conf").write_text("user root;\n" + text)
        self.world.start_origin("nginx", ["nginx", "-p", self.directory, "-c", self.directory / "nginx.conf"],
                                tcp=[(v4, 80), (v6, 80), (v4, 443), (v6, 443), (both("load")[0], 80)])

    def _stores(self):
        v4, v6 = both("store")
        self.world.start_origin("redis", ["redis-server", "--bind", v4, v6, "--port", "6379", "--save", "",
                                          "--protected-mode", "no", "--dir", self.directory], tcp=[(v4, 6379), (v6, 6379)])
        bin_directory = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        cluster = self.directory / "postgres"
        cluster.mkdir()
        shutil.chown(cluster, "postgres", "postgres")
        drop = ["setpriv", f"--reuid={pwd.getpwnam('postgres').pw_uid}", f"--regid={pwd.getpwnam('postgres').pw_gid}", "--clear-groups"]
        subprocess.run([*drop, bin_directory / "initdb", "-D", cluster, "-A", "trust", "-N", "--locale=C"], check=True,
                       capture_output=True, env={**os.environ, "LC_ALL": "C"})
        with open(cluster / "pg_hba.conf", "a") as access:
            access.write("host all all all trust\n")
        self.world.start_origin("postgres", [*drop, bin_directory / "postgres", "-D", cluster, "-k", "", "-h", f"{v4},{v6}"],
                                tcp=[(v4, 5432), (v6, 5432)])

    def _git(self):
        repositories = self.directory / "repositories"
        work, bare = repositories / "work", repositories / "project.git"
        script = f"""
            git init -q -b main {work} && cd {work} && git config user.email t@example.com && git config user.name t
            for i in 1 2 3 4 5; do seq $((i * 20000)) > file$i; git add . ; git commit -q -m "change $i"; done
            git clone -q --bare {work} {bare} && cd {bare} && git update-server-info && git config http.receivepack true
            cp -r {bare} {self.directory}/www/dumb.git
        """
        subprocess.run(["sh", "-e", "-c", script], check=True, capture_output=True)
        address = both("git")[0]
        self.world.start_origin("git", [*PYTHON, ORIGINS / "git_origin.py", "81", repositories, address],
                                tcp=[(address, 81)])
