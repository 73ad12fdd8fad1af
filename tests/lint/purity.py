"""The flow engine and the HTTP machines are values in, values out: their libraries reach for nothing of the outside."""

import re
import subprocess
from pathlib import Path

from tree import Finding

PURE = {"flowengine/liblunar_flowengine.a": "flowengine", "flowengine/liblunar_flows.a": "flowengine",
        "flowengine/expr/liblunar_expr.a": "flowengine/expr", "flowengine/quota/liblunar_quota.a": "flowengine/quota",
        "flowengine/tokens/liblunar_tokens.a": "flowengine/tokens", "agent/http/liblunar_http.a": "agent/http"}
EFFECTS = {
    "sockets": r"socket|socketpair|bind|listen|accept4?|connect|send(to|msg)?|recv(from|msg)?|getaddrinfo|getsockopt|"
               r"setsockopt|shutdown",
    "files": r"open(at)?(64)?|creat|fopen(64)?|freopen|read|write|pread64|pwrite64|readv|writev|unlink|rename|mkdir|"
             r"opendir|readdir|stat|lstat|fstat|mmap(64)?|_ZNSt(13|14)basic_[io]?f(stream|ilebuf)\w+|"
             r"_ZNSt10filesystem\w+",
    "the clock": r"clock_gettime|gettimeofday|time|nanosleep|clock_nanosleep|usleep|sleep|_ZNSt6chrono3_V2\w+3nowEv",
    "threads": r"pthread_(create|join|detach)|thrd_create|fork|vfork|execve?|_ZNSt6thread\w+",
    "the environment": r"(secure_)?getenv|setenv|putenv|environ|isatty|getpid|getuid",
    "randomness": r"getrandom|getentropy|rand|random|arc4random\w*|_ZNSt13random_device\w+",
}


def check_symbols(listing: str, library: str) -> list:
    """`listing` is the output of nm --undefined-only --print-file-name."""
    found = []
    for line in listing.splitlines():
        place, _, symbol = line.rpartition(" U ")
        symbol = symbol.partition("@")[0].strip()
        for effect, pattern in EFFECTS.items():
            if place and re.fullmatch(pattern, symbol):
                found.append(Finding(place.strip().rstrip(":"), 1, f"{symbol}: {library} reaches for {effect}",
                                     "take what is needed as a parameter, or return an effect for the agent to perform"))
    return found


def undefined_symbols(library: Path) -> str:
    return subprocess.run(["nm", "--undefined-only", "--print-file-name", library], check=True, capture_output=True,
                          text=True).stdout
