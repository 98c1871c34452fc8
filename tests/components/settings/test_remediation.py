"""Constraints between the settings of remediation, and which values may be Outputs."""

import pulumi
import pytest

from components.settings.declarations import ARN_LISTS
from components.settings.validation import complaints_about
from tests.components.samples.remediation import FUNCTION, SERVICE


@pytest.mark.parametrize("setting", ARN_LISTS)
def test_arns_in_a_list_may_be_outputs(setting):
    outputs = [pulumi.Output.from_input("anything"), pulumi.Output.from_input("anything")]

    assert complaints_about({setting: outputs}) == []
    assert [complaint[: len(setting) + 3] for complaint in complaints_about({setting: [*outputs, "x"]})] == [
        f"{setting}[2]"
    ]


def test_two_lists_that_fit_alone_but_not_together_are_rejected_by_the_longer_list():
    probes, targets = [f"{FUNCTION}-{n}" for n in range(30)], [f"{SERVICE}-{n}" for n in range(30)]

    assert complaints_about({"probe_functions": probes}) == complaints_about({"restart_targets": targets}) == []
    [complaint] = complaints_about({"probe_functions": probes, "restart_targets": targets})
    assert complaint.startswith("restart_targets must be, with probe_functions, at most 3000 characters as a function")
    [hidden] = complaints_about(
        {"probe_functions": probes, "restart_targets": targets}, secret_settings=frozenset({"probe_functions"})
    )
    assert hidden.endswith(", got a secret value")


def test_a_window_is_checked_field_by_field():
    complaints = complaints_about({"change_window": {"start": 1320, "end": "4:00", "days": ["Sunday"]}})

    assert [complaint.partition(" must ")[0] for complaint in complaints] == [
        "change_window.start",
        "change_window.end",
        "change_window.days",
    ]
