"""Invalid there are rejected in one message before anything is created."""

import re

import pulumi
import pytest

from components.settings.declarations import SETTINGS
from components.settings.removed import REMOVED
from components.settings.setting import to_camel_case
from components.settings.validation import InvalidSettings, complaints_about, refuse_invalid
from tests.components.samples import audit, messages, remediation, stack
from tests.components.samples.everything import EVERYTHING
from tests.components.samples.messages import rule
from tests.components.samples.wrong import JUNK

SUBJECTS = (audit, messages, remediation, stack)
GOOD = [sample for subject in SUBJECTS for sample in subject.GOOD]
BAD = [sample for subject in SUBJECTS for sample in subject.BAD]
MAY_BE_OUTPUTS = {"kms_key_arn", "powertools_layer_arn"}


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_has_valid_and_invalid_samples(setting):
    for kind, samples in (("good", GOOD), ("bad", BAD)):
        assert setting in [name for name, *_ in samples], (
            f"{setting} has no {kind} values: add some to a file of tests/components/samples"
        )


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_has_a_sample_other_than_its_default(setting):
    assert setting in EVERYTHING, f"add {setting} to OTHER in a file of tests/components/samples"
    assert EVERYTHING[setting] != SETTINGS[setting].default


def test_samples_are_about_settings_that_exist():
    assert {name for name, *_ in (*GOOD, *BAD)} | set(EVERYTHING) == set(SETTINGS)


@pytest.mark.parametrize("removed", REMOVED)
def test_a_removed_setting_is_rejected_with_its_replacement(removed):
    assert removed not in SETTINGS
    [complaint] = complaints_about({removed: 1})
    [in_configuration] = complaints_about({removed: 1}, to_camel_case)

    assert complaint == f"{removed} is no longer a setting: {REMOVED[removed]}. Remove it."
    assert in_configuration.startswith(f"{to_camel_case(removed)} is no longer a setting: ")


@pytest.mark.parametrize(("setting", "values"), GOOD)
def test_a_valid_value_is_accepted(setting, values):
    assert values
    for value in values:
        assert complaints_about({setting: value}) == [], value


@pytest.mark.parametrize(("setting", "allowed", "values"), BAD)
def test_an_invalid_value_is_rejected_naming_setting_limit_and_value(setting, allowed, values):
    assert values
    for value in values:
        complaints = complaints_about({setting: value})

        assert [complaint for complaint in complaints if allowed in complaint], (value, complaints)
        for complaint in complaints:
            assert re.match(rf"{setting}(\[\d+\])?(\.\S+)? must ", complaint)
            assert ", got " in complaint
            assert complaint.isprintable()
            assert len(complaint) < 400


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_value_causes_a_traceback(setting):
    for value in JUNK:
        complaints = complaints_about({setting: value})

        assert all(complaint.startswith(setting) and complaint.isprintable() for complaint in complaints)
        assert complaints or value in ([], (), {}, True, {"": None}) or value == SETTINGS[setting].default


@pytest.mark.parametrize("setting", sorted(MAY_BE_OUTPUTS))
def test_a_value_that_may_be_an_output_is_left_to_aws(setting):
    assert complaints_about({setting: pulumi.Output.from_input("anything")}) == []


@pytest.mark.parametrize("setting", sorted(set(SETTINGS) - MAY_BE_OUTPUTS))
def test_every_other_value_may_not_be_an_output(setting):
    [complaint] = complaints_about({setting: pulumi.Output.from_input("anything")})

    assert complaint.startswith(f"{setting} must be ")
    assert "a value that is known only later" in complaint
    assert "Calling __str__" not in complaint


def test_an_output_deep_in_a_pattern_is_rejected():
    [complaint] = complaints_about({"extra_rules": [rule(event_pattern={"source": [pulumi.Output.from_input("x")]})]})

    assert complaint.startswith("extra_rules[0].event_pattern must be ")


def test_an_undeclared_setting_is_rejected_with_a_suggestion():
    [similar] = complaints_about({"max_age_day": 30})
    [unlike] = complaints_about({"7": 30})

    assert similar == "max_age_day is not a setting; did you mean max_age_days?"
    assert unlike == f"7 is not a setting; there are {', '.join(sorted(SETTINGS))}"


def test_all_errors_are_in_one_message():
    wrong = {setting: values[0] for setting, _, values in reversed(BAD)} | {"nobody": 1}

    with pytest.raises(InvalidSettings) as refusal:
        refuse_invalid(wrong)

    assert isinstance(refusal.value, pulumi.RunError)
    first, *lines = str(refusal.value).splitlines()
    assert first == f"rotation-guard has {len(lines)} settings that cannot be deployed:"
    assert lines == [f"  {complaint}" for complaint in refusal.value.complaints]
    named = {line.split()[0].partition("[")[0].partition(".")[0] for line in lines}
    assert named == {*SETTINGS, "nobody"}


def test_valid_settings_are_accepted():
    refuse_invalid({setting: values[-1] for setting, values in GOOD})
