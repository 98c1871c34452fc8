"""The environment of each function."""

from dataclasses import fields
from typing import Any

import pytest

from handlers import environment as settings
from rotation_guard.domain.audit.age_limits import AgeClass
from rotation_guard.domain.audit.verdicts import AuditSettings

KINDS = [
    kind
    for kind in vars(settings).values()
    # What the module only imports, such as the audit's own settings, is read from no environment.
    if isinstance(kind, type) and kind.__name__.endswith("Settings") and kind.__module__ == settings.__name__
]
VARIABLES = [(kind, field.name.upper()) for kind in KINDS for field in fields(kind)]
NUMBERS = [(kind, field.name.upper()) for kind in KINDS for field in fields(kind) if field.type is int]


def complete(kind: Any) -> dict[str, str]:
    """All its variables, set to what reads as a number and as a text."""
    return {field.name.upper(): "7" for field in fields(kind)}


def test_there_are_settings_to_test():
    assert {kind.__name__.removesuffix("Settings") for kind in KINDS} == {
        "AuditWriter",
        "RotationCheck",
        "RemediationStart",
        "RemediationClaim",
        "RemediationDiagnose",
        "RemediationProbe",
        "RemediationDecide",
        "RemediationAct",
        "RemediationEnd",
        "RemediationNotify",
        "RemediationRestart",
        "RemediationWatch",
        "DemoDatabase",
    }
    assert len(NUMBERS) >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_what_the_environment_says(kind):
    read = kind.from_env(complete(kind) | {"UNRELATED": "x"})

    assert [getattr(read, field.name) for field in fields(kind)] == [
        7 if field.type is int else "7" for field in fields(kind)
    ]


def test_settings_come_from_the_process_unless_given(monkeypatch):
    monkeypatch.setenv("INCIDENTS_TABLE_NAME", "incidents")
    monkeypatch.setenv("HISTORY_DAYS", "0")

    assert settings.RemediationEndSettings.from_env() == settings.RemediationEndSettings("incidents", 0)


@pytest.mark.parametrize(("kind", "name"), VARIABLES)
def test_a_missing_variable_is_named_in_one_sentence(kind, name):
    environment = complete(kind)
    del environment[name]

    with pytest.raises(settings.InvalidEnvironment) as raised:
        kind.from_env(environment)

    assert str(raised.value) == f"{name} must be set in the function's environment, got nothing"


@pytest.mark.parametrize("text", ["", "thirty", "30.5", "3O"])
@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_a_number_that_is_none_is_named_with_what_was_given(kind, name, text):
    with pytest.raises(settings.InvalidEnvironment) as raised:
        kind.from_env(complete(kind) | {name: text})

    assert str(raised.value) == f"{name} must be a whole number, got {text!r}"
    assert raised.value.__suppress_context__


def test_the_audits_own_settings_are_numbers_and_classes():
    environment = complete(settings.RotationCheckSettings) | {
        "MAX_AGE_DAYS": "30",
        "WARN_DAYS": "1",
        "STUCK_HOURS": "2",
        "MISSED_HOURS": "3",
        "MAX_AGE_CLASSES": '[{"days":7,"name":"prod/*"},{"days":0,"tag_key":"tier","tag_value":""}]',
    }

    audit = settings.RotationCheckSettings.from_env(environment).audit()

    classes = (AgeClass(7, name="prod/*"), AgeClass(0, tag_key="tier", tag_value=""))
    assert audit == AuditSettings(max_age_days=30, warn_days=1, stuck_hours=2, missed_hours=3, classes=classes)
