"""Authorities and certificates of the tests, made with the openssl command, and what clients are told to trust."""

import subprocess
from pathlib import Path

from clients import Trust
from world.lunard import build_directory

P256 = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
P384 = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384")
RSA = ("-newkey", "rsa:2048")
EXPIRED = -1  # days


def openssl(*arguments, input=None):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, input=input)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


class Authority:
    """Has its certificate in NAME.pem; `above` has signed it, else itself."""

    def __init__(self, directory, name, above=None):
        self.directory, self.name, self.above = directory, name, above
        self.pem, self.key = directory / f"{name}.pem", directory / f"{name}.key"
        subject = ("-nodes", "-subj", f"/CN=Lunar end-to-end {name}", "-keyout", self.key)
        if not above:
            openssl("req", "-x509", *P256, *subject, "-days", 2, "-out", self.pem)
            return
        openssl("req", *P256, *subject, "-out", directory / f"{name}.csr")
        above.sign(name, 2, "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n")

    def issue(self, file, names, key=P256, days=2, usage="serverAuth"):
        """FILE.key and FILE.pem, with the chain up to below the root; `names` as in subjectAltName. Returns their stem."""
        stem = self.directory / file
        openssl("req", *key, "-nodes", "-subj", f"/CN={file}", "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        self.sign(file, days, f"subjectAltName={','.join(names)}\nextendedKeyUsage={usage}\n")
        if self.above:
            Path(f"{stem}.pem").write_text(Path(f"{stem}.pem").read_text() + self.pem.read_text())
        return stem

    def sign(self, file, days, extensions):
        stem = self.directory / file
        Path(f"{stem}.ext").write_text(extensions)
        openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-days", days,
                "-extfile", f"{stem}.ext", "-out", f"{stem}.pem")


def self_signed(directory, file, names):
    stem = directory / file
    openssl("req", "-x509", *P256, "-nodes", "-days", 2, "-subj", f"/CN={file}", "-addext", f"subjectAltName={','.join(names)}",
            "-keyout", f"{stem}.key", "-out", f"{stem}.pem")
    return stem


def trusting(directory, name, *authorities):
    """The Trust in these certificates (files with one each) together."""
    directory.mkdir(exist_ok=True)
    trust = Trust(directory / f"{name}.pem", directory / f"{name}.p12")
    trust.pem.write_text("".join(Path(one).read_text() for one in authorities))
    for number, one in enumerate(authorities):
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", f"test-{number}", "-file", one, "-keystore", trust.store,
                        "-storetype", "PKCS12", "-storepass", "changeit"], check=True, capture_output=True)
    return trust


class LocalAuthority:
    """What `lunarctl ca` makes in a directory; `bundle` is what clients must trust."""

    def __init__(self, directory):
        self.directory = directory
        self.ctl("init")
        self.bundle = directory.with_suffix(".pem")
        self.bundle.write_text(self.ctl("bundle"))

    def ctl(self, verb):
        argv = [build_directory() / "cli/lunarctl", "ca", verb, "--dir", self.directory]
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"lunarctl ca {verb} ended with {done.returncode}: {done.stderr}")
        return done.stdout
