"""The environment of each function."""

from dataclasses import fields
from typing import Any

import pytest

from handlers import environment as settings
from rotation_guard.domain.audit.age_limits import AgeClass
from rotation_guard.domain.audit.audit_settings import AuditSettings

SETTINGS_CLASSES = [
    settings_class
    for settings_class in vars(settings).values()
    # Imported classes, such as the audit's own settings, are not read from the environment.
    if isinstance(settings_class, type)
    and settings_class.__name__.endswith("Settings")
    and settings_class.__module__ == settings.__name__
]
VARIABLES = [
    (settings_class, field.name.upper()) for settings_class in SETTINGS_CLASSES for field in fields(settings_class)
]
NUMBERS = [
    (settings_class, field.name.upper())
    for settings_class in SETTINGS_CLASSES
    for field in fields(settings_class)
    if field.type is int
]


def build_environment(settings_class: Any) -> dict[str, str]:
    """All variables of these settings, with a value that is valid as a number and as a text."""
    return {field.name.upper(): "7" for field in fields(settings_class)}


def test_every_settings_class_is_tested():
    assert {settings_class.__name__.removesuffix("Settings") for settings_class in SETTINGS_CLASSES} == {
        "AuditWriter",
        "RotationCheck",
        "RemediationStart",
        "RemediationClaim",
        "RemediationDiagnose",
        "RemediationProbe",
        "RemediationDecide",
        "RemediationAct",
        "ImportFindings",
        "ScheduledReport",
        "RemediationEnd",
        "RemediationNotify",
        "RemediationRestart",
        "RemediationWatch",
        "HubRecord",
        "Redeliver",
        "DemoDatabase",
    }
    assert len(NUMBERS) >= 8


@pytest.mark.parametrize("settings_class", SETTINGS_CLASSES)
def test_settings_are_what_the_environment_says(settings_class):
    loaded = settings_class.from_env(build_environment(settings_class) | {"UNRELATED": "x"})

    assert [getattr(loaded, field.name) for field in fields(settings_class)] == [
        7 if field.type is int else "7" for field in fields(settings_class)
    ]


def test_settings_come_from_the_process_environment_by_default(monkeypatch):
    monkeypatch.setenv("INCIDENTS_TABLE_NAME", "incidents")
    monkeypatch.setenv("HISTORY_DAYS", "0")

    assert settings.RemediationEndSettings.from_env() == settings.RemediationEndSettings("incidents", 0)


@pytest.mark.parametrize(("settings_class", "name"), VARIABLES)
def test_a_missing_variable_is_named(settings_class, name):
    environment = build_environment(settings_class)
    del environment[name]

    with pytest.raises(settings.InvalidEnvironment) as raised:
        settings_class.from_env(environment)

    assert str(raised.value) == f"{name} must be set in the function's environment, got nothing"


@pytest.mark.parametrize("text", ["", "thirty", "30.5", "3O"])
@pytest.mark.parametrize(("settings_class", "name"), NUMBERS)
def test_an_invalid_number_is_named_with_its_value(settings_class, name, text):
    with pytest.raises(settings.InvalidEnvironment) as raised:
        settings_class.from_env(build_environment(settings_class) | {name: text})

    assert str(raised.value) == f"{name} must be a whole number, got {text!r}"
    assert raised.value.__suppress_context__


def test_the_audits_own_settings_are_numbers_and_classes():
    environment = build_environment(settings.RotationCheckSettings) | {
        "MAX_AGE_DAYS": "30",
        "WARN_DAYS": "1",
        "STUCK_HOURS": "2",
        "MISSED_HOURS": "3",
        "MAX_AGE_CLASSES": '[{"days":7,"name":"prod/*"},{"days":0,"tag_key":"tier","tag_value":""}]',
    }

    audit = settings.RotationCheckSettings.from_env(environment).audit()

    classes = (AgeClass(7, name="prod/*"), AgeClass(0, tag_key="tier", tag_value=""))
    assert audit == AuditSettings(max_age_days=30, warn_days=1, stuck_hours=2, missed_hours=3, classes=classes)
