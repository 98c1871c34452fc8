"""What the settings of remediation ask of each other, and which of their values may be known only later."""

import pulumi
import pytest

from components.remediation.remediation import RemediationArgs
from components.settings.remediation import LISTS_OF_ARNS, REMEDIATION_CHECKS
from components.settings.validation import complaints_about
from tests.components.samples.remediation import FUNCTION, SERVICE


@pytest.mark.parametrize(
    ("base", "cap", "refused"), [(5, 5, False), (6, 5, True), (61, None, True), (60, None, False), (None, 4, True)]
)
def test_the_cap_of_the_backoff_is_no_less_than_where_it_begins(base, cap, refused):
    given = {"retry_base_minutes": base, "retry_cap_minutes": cap}

    complaints = complaints_about({name: value for name, value in given.items() if value is not None})
    assert [one.partition(", ")[0] for one in complaints] == (
        ["retry_cap_minutes must be at least retry_base_minutes"] if refused else []
    )


@pytest.mark.parametrize("secret", ["retry_base_minutes", "retry_cap_minutes"])
def test_a_secret_number_of_minutes_is_not_repeated(secret):
    given = {"retry_base_minutes": 13, "retry_cap_minutes": 12}

    [complaint] = complaints_about(given, hidden=frozenset({secret}))

    assert {name for name, value in given.items() if str(value) in complaint} == set(given) - {secret}


@pytest.mark.parametrize("setting", LISTS_OF_ARNS)
def test_arns_in_a_list_may_be_known_only_later(setting):
    later = [pulumi.Output.from_input("anything"), pulumi.Output.from_input("anything")]

    assert complaints_about({setting: later}) == []
    assert [one[: len(setting) + 3] for one in complaints_about({setting: [*later, "x"]})] == [f"{setting}[2]"]


def test_two_lists_that_fit_each_but_not_together_are_refused_by_the_longer_one():
    probes, targets = [f"{FUNCTION}-{n}" for n in range(30)], [f"{SERVICE}-{n}" for n in range(30)]

    assert complaints_about({"probe_functions": probes}) == complaints_about({"restart_targets": targets}) == []
    [complaint] = complaints_about({"probe_functions": probes, "restart_targets": targets})
    assert complaint.startswith("restart_targets must be, with probe_functions, at most 3000 characters as a function")
    [hidden] = complaints_about(
        {"probe_functions": probes, "restart_targets": targets}, hidden=frozenset({"probe_functions"})
    )
    assert hidden.endswith(", got a secret value")


def test_a_window_is_checked_field_by_field():
    complaints = complaints_about({"change_window": {"start": 1320, "end": "4:00", "days": ["Sunday"]}})

    assert [one.partition(" must ")[0] for one in complaints] == [
        "change_window.start",
        "change_window.end",
        "change_window.days",
    ]


def test_every_setting_of_the_component_but_its_mode_is_called_as_the_stack_calls_it():
    assert set(REMEDIATION_CHECKS) - {"remediation_mode"} <= set(RemediationArgs.__annotations__)
