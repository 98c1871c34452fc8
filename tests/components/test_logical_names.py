"""Logical names depend neither on the order of a list, nor on what is secret, nor on an edit elsewhere.

If a logical name changes, Pulumi creates the resource again and deletes the old one.
"""

import json

import pytest

from components.settings.declarations import SETTINGS as DECLARED
from components.settings.setting import to_camel_case

from .samples.everything import EVERYTHING

ACCOUNT = "eu-west-1:111122223333"
FUNCTIONS = [f"arn:aws:lambda:{ACCOUNT}:function:{name}" for name in ("a", "b", "c")]
LISTS = {
    "max_age_classes": [{"days": days, "name": f"{days}/*"} for days in (1, 2, 3)],
    "subscriptions": [
        {"topic": "failures", "protocol": "email", "endpoint": "a@example.com"},
        {"topic": "failures", "protocol": "email", "endpoint": "b@example.com"},
        {"topic": "critical", "protocol": "email", "endpoint": "a@example.com"},
        {"topic": "critical", "protocol": "https", "endpoint": "https://example.com/a", "filterPolicy": {"x": ["y"]}},
        {"topic": "critical", "protocol": "https", "endpoint": "https://example.com/b"},
        {"topic": "remediation", "protocol": "lambda", "endpoint": FUNCTIONS[0]},
        {"topic": "critical", "protocol": "lambda", "endpoint": FUNCTIONS[0]},
        {"topic": "failures", "protocol": "sqs", "endpoint": f"arn:aws:sqs:{ACCOUNT}:x", "name": "inbox"},
    ],
    "probe_functions": FUNCTIONS,
    "rotation_functions": FUNCTIONS,
    "restart_targets": [
        *FUNCTIONS,
        f"arn:aws:ecs:{ACCOUNT}:service/shop/orders",
        f"arn:aws:ssm:{ACCOUNT}:document/restart-orders",
    ],
    "restart_role_arns": [f"arn:aws:iam::111122223333:role/{name}" for name in ("a", "b", "c")],
    "extra_rules": [
        {"name": name, "eventPattern": {"source": [name]}, "to": to}
        for name, to in (("a", "both"), ("a-audit", "audit"), ("b", "failures"), ("audit", "both"))
    ],
}
SETTINGS = {**EVERYTHING, **LISTS}


@pytest.fixture(scope="session")
def program(deploy_program):
    """The URNs of all resources of `__main__.py` with every setting, with these changes and these secret keys."""
    made = {}

    def urns(secret=(), **changes):
        settings = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
        config = {
            f"rotation-guard:{to_camel_case(name)}": value if isinstance(value, str) else json.dumps(value)
            for name, value in settings.items()
        }
        keys = tuple(f"rotation-guard:{to_camel_case(name)}" for name in secret)
        cache_key = (json.dumps(config, sort_keys=True), keys)
        if cache_key not in made:
            made[cache_key] = {resource.urn for resource in deploy_program(config, secret_keys=keys).resources}
        return made[cache_key]

    return urns


def test_every_list_setting_has_entries_here():
    """So that no new list is forgotten."""
    assert set(LISTS) == {name for name, setting in DECLARED.items() if setting.config_type == "array"}
    assert all(len(entries) >= 3 for entries in LISTS.values())
    assert set(SETTINGS) == set(DECLARED)


def test_the_order_of_lists_does_not_change_names(program):
    assert program(**{setting: [*reversed(entries)] for setting, entries in LISTS.items()}) == program()


def test_secret_settings_do_not_change_names(program):
    assert program(secret=[*SETTINGS]) == program()


@pytest.mark.parametrize("secret", [[], [*LISTS]])
def test_removing_the_first_entry_of_each_list_does_not_rename_the_others(program, secret):
    """A name that depended on another entry, of its own list or of another one, would change."""
    less = program(secret, **{setting: entries[1:] for setting, entries in LISTS.items()})
    first = program(**{setting: entries[:1] for setting, entries in LISTS.items()})

    assert less < program()
    assert first < program()
    assert less | first == program()
