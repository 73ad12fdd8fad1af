"""The repository as the lints see it: what git tracks or would track."""

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LUNAR_BUILD_DIR", ROOT / "build/dev"))  # CTest sets it
CODE = (".cpp", ".h", ".c")
SCRIPTS = (".py", ".sh")


@dataclass(frozen=True, order=True)
class Finding:
    path: str
    line: int
    text: str
    way_out: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}\n    → {self.way_out}"


@cache
def files() -> tuple:
    """Relative paths, sorted; a file that is deleted but not yet committed is left out."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(sorted(path for path in listed if path and (ROOT / path).is_file()))


@cache
def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def code() -> list:
    return [path for path in files() if path.endswith(CODE)]


def shebang(path: str) -> str:
    with (ROOT / path).open("rb") as file:
        first = file.readline(200)
    return first.decode(errors="replace").strip() if first.startswith(b"#!") else ""


def shell_scripts() -> list:
    return [path for path in files() if path.endswith(".sh")
            or ("." not in Path(path).name and shebang(path).rpartition("/")[2].split(" ")[-1] in ("sh", "bash"))]


def programs() -> list:
    """Whatever people read as code: sources and scripts."""
    return sorted({path for path in files() if path.endswith(CODE + SCRIPTS)} | set(shell_scripts()))
