"""The component and the audit agree on age classes."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from components.audit.rotation_audit import RotationAudit
from components.settings.age_classes import MAXIMUM_TEXT, can_match, find_unreachable, to_environment
from components.settings.validation import complaints_about
from handlers.environment import RotationCheckSettings
from local.mocks.recording import deploy
from rotation_guard.domain.audit.age_limits import AgeClass
from rotation_guard.domain.secret import ListedSecret

MANAGED = {"key": "Managed", "value": "true"}
NAMES = ["".join(letters) for length in range(1, 6) for letters in product("abc", repeat=length)]
"""Names of letters that the patterns below contain, and one that they do not."""
SECRETS = [
    ListedSecret(name, "arn", {"Managed": "true"} | tags)
    for name in NAMES[:39]
    for tags in ({}, {"tier": "gold"}, {"tier": ""}, {"slow": "yes"}, {"tier": "gold", "slow": "no"})
]
CLASSES = [
    {"days": 0, "name": "prod/*"},
    {"days": 3650, "name": "[!a]?", "tag": {"key": "tier", "value": "gold"}},
    {"days": 7, "tag": {"key": "tier", "value": ""}},
    {"days": 8, "tag": {"key": "Überwacht"}},
]


def read_classes(classes):
    """The classes as the check function reads them from its environment."""
    [function] = deploy(RotationAudit, "audit", {"max_age_classes": classes}).of_type("aws:lambda/function:Function")
    return RotationCheckSettings.from_env(function.inputs["environment"]["variables"]).audit().classes


def test_the_check_reads_the_configured_classes():
    assert read_classes(CLASSES) == (
        AgeClass(0, name="prod/*"),
        AgeClass(3650, name="[!a]?", tag_key="tier", tag_value="gold"),
        AgeClass(7, tag_key="tier", tag_value=""),
        AgeClass(8, tag_key="Überwacht"),
    )


def test_without_classes_the_check_has_none():
    assert read_classes([]) == ()


patterns = st.text("ab*?[]!-", min_size=1, max_size=6).filter(can_match)
tags = st.one_of(
    st.builds(lambda key: {"key": key}, st.sampled_from(["tier", "slow", "Managed"])),
    st.builds(
        lambda key, value: {"key": key, "value": value},
        st.sampled_from(["tier", "Managed"]),
        st.sampled_from(["gold", "", "true"]),
    ),
)
age_classes = st.one_of(
    st.builds(lambda name: {"days": 1, "name": name}, patterns),
    st.builds(lambda tag: {"days": 1, "tag": tag}, tags),
    st.builds(lambda name, tag: {"days": 1, "name": name, "tag": tag}, patterns, tags),
)


@settings(max_examples=100)
@given(st.lists(age_classes, min_size=1, max_size=5))
def test_no_class_that_a_secret_is_in_is_reported_as_unreachable(configured):
    classes = [AgeClass(age_class["days"], age_class.get("name"), *tag_of(age_class)) for age_class in configured]

    unreachable = dict(find_unreachable(configured, MANAGED))

    for secret in SECRETS:
        first = next((index for index, age_class in enumerate(classes) if age_class.matches(secret)), None)
        assert first not in unreachable, (secret, unreachable)


def tag_of(age_class):
    tag = age_class.get("tag", {})
    return tag.get("key"), tag.get("value")


@settings(max_examples=300)
@given(st.text("ab*?[]!-", min_size=1, max_size=6))
def test_a_rejected_pattern_matches_no_name(pattern):
    if not can_match(pattern):
        assert not [name for name in NAMES if AgeClass(1, name=pattern).matches(ListedSecret(name, "arn", {}))]


def test_the_longest_accepted_settings_fit_into_the_environment_of_a_function():
    classes = []
    while len(to_environment([*classes, longest := {"days": 1, "name": f"{len(classes)}-*"}])) <= MAXIMUM_TEXT:
        classes.append(longest)
    tag = {"key": "ü" * 128, "value": "ü" * 256}
    configured = {"max_age_classes": classes, "managed_tag": tag}
    assert complaints_about(configured) == []

    [function] = deploy(RotationAudit, "audit", configured).of_type("aws:lambda/function:Function")

    variables = function.inputs["environment"]["variables"]
    table_names = sum("TABLE_NAME" in name for name in variables) * 60  # for the physical names of the tables
    assert sum(len(f"{name}{value}".encode()) for name, value in variables.items()) + table_names < 4096
