"""Who may include whom. A folder includes only lower rows, and never a sibling of its own row."""

import re
from pathlib import PurePosixPath

from tree import Finding

ROWS = {
    "flowengine": 0, "bpf": 0,
    "agent/base": 1,
    "agent/uring": 2, "agent/http": 2, "agent/config": 2,
    "agent/redirect": 3, "agent/net": 3, "agent/state": 3, "agent/script": 3,
    "agent/gateway": 4, "agent/admin": 4, "agent/failsafe": 4, "agent/console": 4,
    "agent": 5,  # main.cpp and the composition files beside it
    "cli": 5,
}
BPF_EXPORTS = {"bpf/lunar_abi.h"}
CLI_EXPORTS = {"agent/admin/wire.h", "agent/base/endpoint.h", "agent/config/config_folder.h",
               "agent/config/durable_file.h", "agent/config/gateway_config.h", "agent/config/load.h",
               "agent/config/lunard_schema.h", "agent/net/authority.h", "agent/net/authority_chain.h",
               "agent/net/authority_files.h", "agent/net/tls_files.h", "agent/net/x509_values.h"}
ROUTES = "agent/admin/wire.h"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)
GENERATED = re.compile(r"\.skel\.h$")

# A third-party library has one home: the only folders that may name its headers.
HOMES = {
    r"bpf/(bpf|libbpf)\.h|.*\.skel\.h": {"agent/redirect"},
    r"liburing\.h|liburing/.*": {"agent/uring"},
    r"netlink/.*": {"agent/redirect"},
    r"openssl/.*": {"agent/net", "agent/admin", "flowengine"},
    r"duktape\.h": {"flowengine", "agent/script"},
    r"zlib\.h|zstd\.h|brotli/.*": {"agent/http"},
    r"nghttp2/.*": {"agent/http"},
    r"re2/.*": {"agent/config", "flowengine"},
    r"yaml-cpp/.*": {"flowengine", "agent/config"},
    r"seccomp\.h": {"agent/failsafe", "agent/script"},
    r"linux/landlock\.h|sys/capability\.h": {"agent/failsafe"},
    r"spdlog/.*": {"agent/base"},
    r"CLI/.*": {"agent", "cli", "agent/config"},
    r"systemd/.*": {"agent/base", "agent/failsafe", "agent/admin"},
}


def room(path: str) -> str:
    """The folder of the table that a file belongs to; empty for files outside of it, such as tests."""
    parent = str(PurePosixPath(path).parent)
    while parent not in ROWS and parent != ".":
        parent = str(PurePosixPath(parent).parent)
    return parent if parent in ROWS else ""


def line_of(source: str, offset: int) -> int:
    return source.count("\n", 0, offset) + 1


def fault(here: str, included: str) -> str:
    """Why a file of the room `here` may not include this one; empty if it may."""
    there = room(included)
    if not there:
        return "is outside of the rooms" if not included.startswith("tests/") else "is a test"
    if here == there:
        return ""
    if there == "bpf" and included not in BPF_EXPORTS:
        return "is not exported by bpf, which exports lunar_abi.h alone"
    if here == "cli" and there != "flowengine" and included not in CLI_EXPORTS:
        return f"is not for cli, which includes {' and '.join(sorted(CLI_EXPORTS))} and flowengine alone"
    if ROWS[here] == 0:
        return f"is not for {here}, which includes its own files alone"
    if ROWS[there] >= ROWS[here]:
        return f"is of row {ROWS[there]}, and {here} is of row {ROWS[here]}"
    return ""


def check_includes(path: str, source: str, existing: set) -> list:
    here, found = room(path), []
    for match in INCLUDE.finditer(source):
        included, line = match[1], line_of(source, match.start())
        if GENERATED.search(included):
            continue
        if included not in existing:
            found.append(Finding(path, line, f'"{included}" is no file below the root of the repository',
                                 'name it from the root ("agent/base/fd.h"); system headers take <>'))
        elif here and (why := fault(here, included)):
            found.append(Finding(path, line, f'"{included}" {why}',
                                 "move what both need to a lower row, or declare an interface here that agent/ fills in"))
    return found


def check_homes(path: str, source: str) -> list:
    here, found = room(path), []
    if not here:
        return found
    for match in re.finditer(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', source, re.M):
        for pattern, homes in HOMES.items():
            if re.fullmatch(pattern, match[1]) and here not in homes and here != "bpf":
                found.append(Finding(path, line_of(source, match.start()),
                                     f"<{match[1]}> belongs to {' and '.join(sorted(homes))}",
                                     "go through that folder, so that the library has one home"))
    return found


def routes(source: str) -> set:
    """Those that the daemon and lunarctl agree on."""
    table = re.search(r"^namespace route \{$(.*?)^\}", source, re.M | re.S)
    return set(re.findall(r'"(/[^"]+)"', table[1]))


def check_routes(path: str, source: str, known: set) -> list:
    if path == ROUTES or not path.startswith(("agent/", "cli/")):
        return []
    return [Finding(path, line_of(source, match.start()), f"{match[0]} is written out",
                    f"take it from {ROUTES}, so that both sides agree")
            for match in re.finditer(r'"(/[^"\n]+)"', source) if match[1] in known]
