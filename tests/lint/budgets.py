"""Sizes and names that clang-tidy does not see."""

import re
from pathlib import PurePosixPath

from tree import Finding

LINES = 400
LINES_WITH_REASON = 600
MAIN_LINES = 150
REASON = re.compile(r"^\W*Long file: \S", re.M)
BANNED = ("manager", "helper", "helpers", "util", "utils", "common", "misc", "handler", "handlers", "data", "info", "impl",
          "base")
CLASS = re.compile(r"^\s*(?:template\s*<.*>\s*)?(?:class|struct|enum class)\s+(?:\[\[\w+\]\]\s*)?(\w+)[^;]*$", re.M)
CLASS_SUFFIX = re.compile(r"(?:Manager|Helpers?|Utils?|Common|Misc|Handlers?|Data|Info|Impl|Base)$")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SKIPS = re.compile(r"pytest\.(?:mark\.)?skip|\bskipif\b|\bxfail\b|doctest::(?:skip|may_fail|should_fail)")


def check_length(path: str, source: str) -> list:
    lines = source.count("\n")
    reasoned = REASON.search("\n".join(source.split("\n")[:12]))
    limit = MAIN_LINES if path == "agent/main.cpp" else LINES_WITH_REASON if reasoned else LINES
    if lines <= limit:
        return []
    return [Finding(path, lines, f"{lines} lines, more than {limit}",
                    "split it by noun; if it must be one piece, say why in its head: “Long file: …” (up to "
                    f"{LINES_WITH_REASON} lines)")]


def check_file_name(path: str) -> list:
    stem = PurePosixPath(path).name.partition(".")[0]
    last = re.sub(r"_test$", "", stem).rpartition("_")[2].lower()
    if last not in BANNED:
        return []
    return [Finding(path, 1, f"“{last}” says nothing about what is inside", "name the file after its noun or its verb")]


def check_class_names(path: str, source: str) -> list:
    return [Finding(path, source.count("\n", 0, match.start(1)) + 1, f"{match[1]} ends in a word that says nothing",
                    "name the class after its noun or its verb")
            for match in CLASS.finditer(source) if CLASS_SUFFIX.search(match[1])]


def check_finished(path: str, source: str) -> list:
    return [Finding(path, number, f"“{match[0]}” in the tree", "do it now, or file an issue")
            for number, line in enumerate(source.split("\n"), 1) if (match := UNFINISHED.search(line))]


def check_skips(path: str, source: str) -> list:
    return [Finding(path, number, f"{match[0]} hides a test", "let the test fail, and say what the machine lacks")
            for number, line in enumerate(source.split("\n"), 1) if (match := SKIPS.search(line))]
