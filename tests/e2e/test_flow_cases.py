"""The example transactions of tests/data/flows with real programs, a real gateway and real time: what flows_test and
`lunarctl flows test` say of them must be what users see.

TLS is relayed unopened: what a case calls by https is called in clear on its port. A case is run until its first long wait.
"""

import math
from datetime import datetime, timedelta, timezone

import pytest

from case_files import FLOWS, all_cases, folders
from flow_cases import Stage, hosts_file
from lunards import shared_lunard

LONGEST = 3.0  # seconds that a case may wait in all

# What cannot be shown here, and why: {folder: {words of the name of a case, or of a step: reason}}.
LEFT_OUT = {
    "cache_control": {"max-age wins over the TTL": "says nothing before 6 s have passed"},
    "expressions": {"https://api.example.com/orders/7": "expects the scheme https"},
    "filter_callers": {"/opt/jobs/job": "there is no such program", "container:": "no container engine gives names here"},
    "header_based": {"without a reset the knowledge ends": "says nothing before 59 s have passed"},
    "retry_after": {
        "seconds raise the wait": "waits 7 s",
        "a date says the same": "waits 30 s, until an instant of the simulated clock",
        "it is cut to the longest wait": "waits a minute",
        "a wait longer than what is left of the timeout": "waits a minute",
    },
    "retry_linear": {"waits of 3, 5 and 7 seconds": "waits 15 s"},
    "spillover": {"the carry is gone after the renewal": "begins by waiting 355 hours"},
}


def until_renewal():
    """Seconds until the first of the next month at six; a second more at the moment of the answer, perhaps."""
    now = datetime.now(timezone.utc)
    this_month = now.replace(day=1, hour=6, minute=0, second=0, microsecond=0)
    next_month = (this_month + timedelta(days=32)).replace(day=1)
    left = math.ceil(((this_month if now < this_month else next_month) - now).total_seconds())
    return [str(left), str(left + 1)]


# What a real gateway says instead: {folder: {header field: what}}.
OTHERWISE = {
    "monthly_renewal": {"retry-after": until_renewal, "ratelimit-reset": until_renewal},  # today is another day
    "script": {"x-kind": "a", "x-failed": None},  # scripts run
}

CASES = all_cases()


def is_left_out(case, text):
    return any(words in text for words in LEFT_OUT.get(case.folder, {}))


def shown_steps(case):
    if is_left_out(case, case.name):
        return []
    return [step for step in case.until_long_wait(LONGEST) if not is_left_out(case, step.source)]


@pytest.fixture(scope="module")
def lunard(world, internet, request):
    hosts = world.directory / "etc/hosts"
    before = hosts.read_text()
    hosts.write_text(before + hosts_file(CASES))  # in place: the file is bound into the namespace
    with pytest.MonkeyPatch.context() as environment:
        for path in FLOWS.glob("*/environment"):
            for line in path.read_text().splitlines():
                environment.setenv(*line.split("=", 1))
        yield from shared_lunard(world, request)
    hosts.write_text(before)


@pytest.fixture(scope="module")
def stage(world, internet, lunard):
    stage = Stage(world, internet, lunard)
    yield stage
    stage.close()


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_a_folder_loads_with_the_findings_that_it_expects(stage, folder):
    expected = folder / "expected"
    # The engine looks into no other folders; here an exporter's is not there.
    found = [line for line in stage.load(folder) if "[file-unusable]" not in line]
    assert found == (expected.read_text().splitlines() if expected.exists() else [])


@pytest.mark.parametrize("case", [case for case in CASES if shown_steps(case)], ids=str)
def test_a_case_ends_as_it_says(stage, case):
    differences = stage.play(case, shown_steps(case), OTHERWISE.get(case.folder, {}))
    assert not differences, "\n".join(differences)


def test_nothing_drops_out_unseen():
    shown = [case for case in CASES if shown_steps(case)]
    expectations = sum("expect" in step.content for case in shown for step in shown_steps(case))
    whole = sum(len(shown_steps(case)) == len(case.steps) for case in shown)
    print(f"FIGURE: {len(shown)} of {len(CASES)} cases, {whole} to their end; {expectations} steps with expectations")
    assert {case.folder for case in shown} == {folder.name for folder in folders()}
    assert len(shown) >= 100 and expectations >= 300


def test_what_is_left_out_is_declared():
    silent = {str(case) for case in CASES if not any("expect" in step.content for step in case.until_long_wait(LONGEST))}
    assert silent == {str(case) for case in CASES if is_left_out(case, case.name)}
    for folder, reasons in LEFT_OUT.items():
        texts = [text for case in CASES if case.folder == folder for text in (case.name, *(step.source for step in case.steps))]
        for words in reasons:
            assert any(words in text for text in texts), f"{folder}: nothing is called {words!r}"
    for folder, fields in OTHERWISE.items():
        sources = "".join(step.source for case in CASES if case.folder == folder for step in shown_steps(case))
        assert all(f"{name}: " in sources for name in fields), f"{folder}: not all of {sorted(fields)} are expected"
