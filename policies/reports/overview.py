"""Compares the reports on several stacks of a program, as `make policies` prints it."""

from collections.abc import Mapping

from ..model.evaluation import Report
from ..rules import RULES
from .formats import days


def table(reports: Mapping[str, Report]) -> str:
    """A table of complaints per rule and stack with totals, then the complaints and the active exemptions."""
    width = max(map(len, RULES))
    columns = {name: max(len(name), 9) for name in reports}
    lines = ["  ".join([f"{'rule':<{width}}", *(f"{name:>{columns[name]}}" for name in reports)])]
    for rule in RULES:
        counts = {
            name: sum(complaint.policy == rule for complaint in report.complaints) for name, report in reports.items()
        }
        lines.append("  ".join([f"{rule:<{width}}", *(f"{counts[name] or '-':>{columns[name]}}" for name in reports)]))
    for what, numbers in {
        "resources": {name: report.resources for name, report in reports.items()},
        "rules": {name: report.rules for name, report in reports.items()},
        "complaints": {name: len(report.complaints) for name, report in reports.items()},
        "exemptions": {name: len(report.exemptions) for name, report in reports.items()},
        "seconds": {name: f"{report.seconds:.2f}" for name, report in reports.items()},
    }.items():
        lines.append("  ".join([f"{what:<{width}}", *(f"{numbers[name]:>{columns[name]}}" for name in reports)]))
    for name, report in reports.items():
        lines += [
            f"{name}: {complaint.enforcement} {complaint.policy}: {complaint.message}"
            for complaint in report.complaints
        ]
        lines += [
            f"{name}: exempt from {exemption.policy}: {exemption.urn}, {exemption.owner}, "
            f"{days(exemption.days_left)} left: {exemption.reason}"
            for exemption in report.exemptions
        ]
    return "\n".join(lines) + "\n"
