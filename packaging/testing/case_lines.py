"""A pytest plugin: appends each case's outcome to the file named by LUNAR_CASE_LOG, as the unit tests do."""

import os


def pytest_runtest_logreport(report):
    if report.skipped:
        status = "SKIP"
    elif report.failed:
        status = "FAIL"
    elif report.when == "call":
        status = "PASS"
    else:
        return  # set up or torn down as it should be
    file, _, case = report.nodeid.partition("::")
    suffix = "" if report.when == "call" else f" ({report.when})"
    line = f"{status}\t{report.duration * 1000:.0f}\t{os.path.basename(file)}\t{case}{suffix}\n"
    with open(os.environ["LUNAR_CASE_LOG"], "a") as log:
        log.write(line)
