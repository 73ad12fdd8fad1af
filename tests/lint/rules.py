"""tests/data/rules.yaml: each rule of the flow language names what shows it, and that exists."""

import re

import yaml

from tree import Finding

RULES = "tests/data/rules.yaml"
CASE = re.compile(r'TEST_CASE\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
FUNCTION = re.compile(r"^def (test_\w+)", re.M)
DATA = re.compile(r"^tests/data/(flows/[^/]+|bad/[^/.]+)")


def shown_by(path: str, source: str) -> set:
    """What a rule can name of a file: cases of C++, functions of Python, a folder or file of tests/data."""
    if path.endswith(".cpp"):
        return {"".join(TEXT.findall(texts)).replace('\\"', '"') for texts in CASE.findall(source)}
    if path.endswith(".py"):
        return set(FUNCTION.findall(source))
    return {found[1]} if (found := DATA.match(path)) else set()


def check_rules(path: str, source: str, known: set) -> list:
    found, seen = [], set()

    def finding(node, text, way_out):
        found.append(Finding(path, node.start_mark.line + 1, text, way_out))

    for section, rules in yaml.compose(source).value:
        for rule, tests in rules.value:
            name = f"{section.value} {rule.value}"
            if name in seen:
                finding(rule, f"{name} is there twice", "join both")
            seen.add(name)
            if not tests.value or not isinstance(tests, yaml.SequenceNode):
                finding(rule, f"nothing shows {name}", "name a test, or write it")
                continue
            for test in tests.value:
                if test.value not in known:
                    finding(test, f"there is no test {test.value!r}", "name one that shows the rule")
    return found
