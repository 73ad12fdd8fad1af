"""The example transactions of tests/data/flows as values. Their format is described in flowengine/README.md."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

FLOWS = Path(__file__).resolve().parents[1] / "data/flows"
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Text(str):
    """A scalar as it is written; `plain`: without quotes, so that it may be a number or a boolean."""

    plain = False


def read(node):
    """Mappings, lists, Text and None. yaml.load() would follow YAML 1.1, in which `on` is a boolean and 12:30 a number."""
    if isinstance(node, yaml.MappingNode):
        return {str(read(key)): read(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [read(item) for item in node.value]
    text = Text(node.value)
    text.plain = not node.style
    return None if text.plain and text in ("", "~", "null") else text


def to_json(value):
    if isinstance(value, dict):
        return {key: to_json(member) for key, member in value.items()}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if value is None or not value.plain:
        return value
    if value in ("true", "false"):
        return value == "true"
    if re.fullmatch(r"[-+]?\d+", value):
        return int(value)
    return float(value) if re.fullmatch(r"[-+]?\d+\.\d+", value) else value


def body_of(value):
    """A body: text as it is written, all else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(to_json(value), separators=(",", ":"), ensure_ascii=False)


def fields_of(value):
    """Header fields as (name, value); a list is a repeated field."""
    return [(name, one) for name, given in (value or {}).items() for one in (given if isinstance(given, list) else [given])]


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * UNITS[unit]


@dataclass
class Step:
    line: int
    source: str
    content: dict

    @property
    def advance(self):
        return seconds(self.content["advance"]) if "advance" in self.content else 0

    @property
    def wait(self):
        """How long it takes: time that passes, or the waits of a call that is sent again until it is answered."""
        resent = isinstance(self.content.get("provider"), list)
        return seconds(self.content.get("expect", {}).get("waited", "0s")) if resent else self.advance


@dataclass
class Case:
    folder: str
    name: str
    steps: list

    def __str__(self):
        return f"{self.folder}: {self.name}"

    def until_long_wait(self, longest):
        """The steps that take at most `longest` seconds in all; time that passes behind the last one shows nothing."""
        steps, waited = [], 0.0
        for step in self.steps:
            waited += step.wait
            if waited > longest:
                break
            steps.append(step)
        while steps and steps[-1].advance:
            steps.pop()
        return steps


def _read_file(path):
    source = path.read_text()
    [(_, cases)] = yaml.compose(source).value
    for case in cases.value:
        members = {key.value: value for key, value in case.value}
        steps = [Step(node.start_mark.line + 1, source[node.start_mark.index:node.end_mark.index], read(node)) for node in members["steps"].value]
        yield Case(path.parents[1].name, members["name"].value, steps)


def folders():
    return sorted(path for path in FLOWS.iterdir() if not path.name.startswith("."))


def all_cases():
    return [case for folder in folders() for path in sorted((folder / "tests").iterdir()) for case in _read_file(path)]
