"""Markdown: links lead somewhere, and each room says what it is."""

import re
from pathlib import PurePosixPath

from tree import Finding

LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
TOP_LEVEL = {".ci", ".clang-format", ".clang-tidy", ".gitignore", "CMakeLists.txt", "CMakePresets.json", "CONTRIBUTING.md",
             "LICENSE", "README.md", "agent", "bpf", "cli", "flowengine", "packaging", "tests"}
WITHOUT_README = {".", ".ci"}


def anchors(source: str) -> set:
    """The names that GitHub and GitLab give to headings."""
    headings = re.findall(r"^#+\s+(.+)$", FENCE.sub("", source), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def blank(match) -> str:
    return "\n" * match[0].count("\n")


def check_links(path: str, source: str, existing: set, text_of) -> list:
    found = []
    body = FENCE.sub(blank, source)
    for match in LINK.finditer(body):
        target, _, anchor = match[1].partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        line = body.count("\n", 0, match.start()) + 1
        there = resolve(path, target) if target else path
        if there not in existing:
            found.append(Finding(path, line, f"link to {match[1]}, which does not exist", "correct or remove the link"))
        elif anchor and there.endswith(".md") and anchor not in anchors(text_of(there)):
            found.append(Finding(path, line, f"{there} has no heading #{anchor}", "correct the link"))
    return found


def resolve(path: str, target: str) -> str:
    parts = list(PurePosixPath(path).parent.parts)
    for part in PurePosixPath(target).parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def check_top_level(paths) -> list:
    names = sorted({path.partition("/")[0] for path in paths} - TOP_LEVEL)
    return [Finding(name, 1, "the top level is closed", "put it into the room that it belongs to") for name in names]


def rooms(paths) -> set:
    """Folders of the first level, and of the second below agent and tests."""
    found = set()
    for path in paths:
        parts = PurePosixPath(path).parts[:-1]
        if parts:
            found.add(parts[0])
        if len(parts) > 1 and parts[0] in ("agent", "tests"):
            found.add("/".join(parts[:2]))
    return found - WITHOUT_README


def check_readmes(paths) -> list:
    existing = set(paths)
    return [Finding(f"{room}/README.md", 1, "the folder has no README.md", "say what lives here, why so, and its contracts")
            for room in sorted(rooms(paths)) if f"{room}/README.md" not in existing]
