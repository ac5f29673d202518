"""Says at the end how many malformed inputs were tried."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts = {"tried": 0, "refused": 0}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name in counts and report.when == "call":
                counts[name] += int(str(value))
    if counts["tried"]:
        terminalreporter.write_line(
            f"malformed inputs: {counts['tried']} tried, {counts['refused']} refused with a "
            "message, the others still valid"
        )
