"""Which cases a test run has, and what it says: its seed, and how many checks it made."""

import os
import signal
from collections import Counter
from typing import Any

import pytest

from sim_tb.rtl.runner import SIMULATORS


@pytest.hookimpl(tryfirst=True)  # before any is left out
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the cases of tests marked ``every(step)`` out among the targets of make."""
    places: Counter[str] = Counter()
    for item in items:
        for marker in item.iter_markers("every"):
            test = item.nodeid.partition("[")[0]
            if places[test]:
                item.add_marker("slow")
            if places[test] % marker.args[0]:
                item.add_marker("full")
            places[test] += 1


def pytest_configure() -> None:
    """Refuse a simulator that there is not, also where no chosen test would ask for it."""
    simulator = os.environ.get("SIM", "verilator")
    if simulator not in SIMULATORS:
        raise pytest.UsageError(f"SIM must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
    # Under nohup it would be ignored, in all programs that tests start, too.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_report_header() -> str:
    simulator = os.environ.get("SIM", "verilator")
    return f"simulator: {simulator}, seed: {os.environ.get('SEED', 'each test its own default')}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Count the tests, and the comparisons that the testbenches recorded as ``checks``."""
    passed = terminalreporter.stats.get("passed", [])
    checks = sum(
        value
        for report in passed
        for name, value in getattr(report, "user_properties", [])
        if name == "checks"
    )
    terminalreporter.write_line(
        f"{len(passed)} tests passed; their testbenches compared {checks:,} values on the RTL"
    )


@pytest.fixture
def checks(record_property: Any) -> Any:
    """Call with a number of comparisons, to have them counted in the summary."""
    return lambda count: record_property("checks", count)
