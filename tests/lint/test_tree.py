"""The rules of CONTRIBUTING.md, held against every file. A failure names file and line, and the way out."""

import subprocess
from pathlib import Path

import budgets
import documents
import layering
import purity
import pytest
import rules
import tree

OWN = "tests/lint/"  # holds the bad examples


def report(findings):
    if findings:
        pytest.fail("\n".join(map(str, sorted(findings))), pytrace=False)


def each(paths, *checks):
    report([finding for path in paths for check in checks for finding in check(path, tree.text(path))])


def test_includes_point_down():
    existing = set(tree.files())
    report([finding for path in tree.code() for finding in layering.check_includes(path, tree.text(path), existing)])


def test_every_library_has_one_home():
    each(tree.code(), layering.check_homes)


def test_routes_are_written_once():
    known = layering.routes(tree.text(layering.ROUTES))
    report([finding for path in tree.code() for finding in layering.check_routes(path, tree.text(path), known)])


def test_pure_folders_reach_for_nothing():
    report([finding for library, name in purity.PURE.items()
            for finding in purity.check_symbols(purity.undefined_symbols(tree.BUILD / library), name)])


def test_files_are_short():
    each(tree.programs(), budgets.check_length)


def test_names_say_something():
    report([finding for path in tree.programs() for finding in budgets.check_file_name(path)])
    each(tree.code(), budgets.check_class_names)


def test_nothing_is_unfinished():
    each([path for path in tree.programs() if not path.startswith(OWN)], budgets.check_finished)


def test_no_test_is_skipped():
    tests = [path for path in tree.programs() if path.startswith("tests/") and not path.startswith(OWN)]
    each(tests, budgets.check_skips)


def test_every_rule_of_the_flow_language_names_tests_that_exist():
    tests = [path for path in tree.files() if path.startswith("tests/") and path.endswith((".cpp", ".py"))]
    known = set().union(*(rules.shown_by(path, tree.text(path)) for path in tests),
                        *(rules.shown_by(path, "") for path in tree.files() if path.startswith("tests/data/")))
    report(rules.check_rules(rules.RULES, tree.text(rules.RULES), known))


def test_the_top_level_is_closed():
    report(documents.check_top_level(tree.files()))


def test_every_room_has_a_readme():
    report(documents.check_readmes(tree.files()))


def test_links_lead_somewhere():
    existing = set(tree.files()) | {str(folder) for path in tree.files() for folder in Path(path).parents}
    pages = [path for path in tree.files() if path.endswith(".md")]
    report([finding for path in pages
            for finding in documents.check_links(path, tree.text(path), existing, tree.text)])


def test_code_is_formatted():
    command = ["clang-format-19", "--dry-run", "--Werror", *tree.code()]
    done = subprocess.run(command, cwd=tree.ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{done.stderr}\n    → clang-format-19 -i FILE", pytrace=False)


def test_shell_scripts_are_sound():
    done = subprocess.run(["shellcheck", "--format=gcc", *tree.shell_scripts()], cwd=tree.ROOT, capture_output=True,
                          text=True)
    if done.returncode != 0:
        pytest.fail(f"{done.stdout}    → each code is explained at shellcheck.net/wiki", pytrace=False)
