"""Whatever makes our own stack worse makes some rule speak."""

import json

import pytest

from local.own_policies import resources
from local.recording import deploy_program, stack_config
from policies.evaluation import check
from tests.policies.mutations import mutations

SURVIVORS: dict[str, str] = {
    "Permission rotation-guard-demo-rotation: removed": (
        "AWS refuses to set up a rotation whose function Secrets Manager may not call: it cannot be deployed"
    ),
    "RolePolicy rotation-guard-demo-rotation: removed": "what a function needs, only its code knows",
    "RolePolicy rotation-guard-remediation-claim: removed": "what a function needs, only its code knows",
    "RolePolicy rotation-guard-remediation-notify: removed": "what a function needs, only its code knows",
    "RolePolicy rotation-guard-trail-writer: removed": "what a function needs, only its code knows",
    "QueuePolicy rotation-guard-dead-letters: policy: statement 0 is for every principal": (
        "held to the ARNs of our topics, nobody else is let in"
    ),
    "QueuePolicy rotation-guard-events-audit: policy: statement 0 is for every principal": (
        "held to the ARNs of our rules, nobody else is let in"
    ),
    "QueuePolicy rotation-guard-events-dead-letters: policy: statement 0 is for every principal": (
        "held to the ARNs of our rules, nobody else is let in"
    ),
}
"""Mutations that no rule complains of, and why that is right; a name may end in `*`."""
BAR = 0.95


@pytest.fixture(scope="module")
def stack():
    subscription = [{"topic": "critical", "protocol": "https", "endpoint": "https://example.com/hook"}]
    config = {**stack_config("dev"), "rotation-guard:subscriptions": json.dumps(subscription)}
    return tuple(resources(deploy_program(config, stack="dev")))


def _is_listed(what: str) -> bool:
    return any(what == name or (name.endswith("*") and what.startswith(name[:-1])) for name in SURVIVORS)


def test_every_mutation_is_killed_but_those_that_are_listed_with_a_reason(stack):
    before = {(one.policy, one.message) for one in check(stack).complaints}
    all_of_them = list(mutations(stack))
    survivors = [
        one.what
        for one in all_of_them
        if not {(each.policy, each.message) for each in check(one.resources).complaints} - before
    ]

    assert len(all_of_them) > 200
    assert [what for what in survivors if not _is_listed(what)] == []
    assert len(survivors) <= (1 - BAR) * len(all_of_them)


def test_the_list_of_survivors_names_none_that_is_killed(stack):
    names = [one.what for one in mutations(stack)]

    for survivor in SURVIVORS:
        assert any(name == survivor or (survivor.endswith("*") and name.startswith(survivor[:-1])) for name in names)
