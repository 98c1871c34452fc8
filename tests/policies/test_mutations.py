"""Some rule complains about every mutation of our own stack."""

import json

import pytest

from local.check_own_stack import read_resources
from local.mocks.recording import deploy_program, stack_config
from policies.model import resource_types
from tests.policies.mutations import MutationTest, mutations

NAMED = "a named account is not public: the program decides whom it trusts"
ONE_IS_ENOUGH = "the other of the two conditions is enough"
HELD = "its condition restricts it to our own topics, rules or account"
OWN_ACCOUNT = "by default the topic's own account may publish, and only that does"
STATUS = "the current status is overwritten, and is no history"
OWN_BUS = "the condition on the function's own events is stricter than the rules"
OWN_ROWS = "the condition on rows of the table is stricter than the rules"
INVENTORY = "it only describes resources, which is accepted on all of a type"
OPT_IN = "its condition on the opt-in tag restricts the secrets"
STRICTER = "the tag opts in, and the condition is stricter than the rules"
CODE = "the calls of a function's code are checked by the contract tests"
STEPS = ("claim", "diagnose", "probe", "decide", "retry", "move", "end", "restart", "watch", "notify")
FUNCTIONS = (
    "audit-check",
    "trail-writer",
    "demo-rotation",
    "demo-probe",
    "repair-start",
    *(f"repair-{step}" for step in STEPS),
)
FOR_A_STRANGER = "assumeRolePolicy: statement 0 is for a stranger too"
SURVIVORS: dict[str, str] = {
    **{f"Role rotation-guard-{function}: {FOR_A_STRANGER}": NAMED for function in FUNCTIONS},
    "TopicPolicy rotation-guard-critical: policy: statement 0 is for a stranger too": NAMED,
    "TopicPolicy rotation-guard-failures: policy: statement 0 is for a stranger too": NAMED,
    "TopicPolicy rotation-guard-remediation: policy: statement 0 is for a stranger too": NAMED,
    "Role rotation-guard-repair-workflow: assumeRolePolicy: statement 0 lacks the condition *": ONE_IS_ENOUGH,
    "QueuePolicy rotation-guard-dead-letters: policy: statement 0 is for every principal": HELD,
    "QueuePolicy rotation-guard-events-audit: policy: statement 0 is for every principal": HELD,
    "QueuePolicy rotation-guard-events-dead-letters: policy: statement 0 is for every principal": HELD,
    "TopicPolicy rotation-guard-critical: policy: statement 1 is for every principal": HELD,
    "TopicPolicy rotation-guard-critical: removed": OWN_ACCOUNT,
    "TopicPolicy rotation-guard-critical: policy: statement 0 is gone": OWN_ACCOUNT,
    "TopicPolicy rotation-guard-remediation: removed": OWN_ACCOUNT,
    "Table rotation-guard-audit-status: without ttl": STATUS,
    "Table rotation-guard-audit-status: ttl.enabled = false": STATUS,
    "RolePolicy rotation-guard-audit-check: policy: statement 9 has no condition": OWN_BUS,
    "RolePolicy rotation-guard-audit-check: policy: statement 9 takes any events:source": OWN_BUS,
    "RolePolicy rotation-guard-audit-check-continue: removed": CODE,
    "RolePolicy rotation-guard-repair-claim: policy: statement 3 has no condition": OWN_BUS,
    "RolePolicy rotation-guard-repair-claim: policy: statement 3 takes any events:source": OWN_BUS,
    "RolePolicy rotation-guard-repair-notify: policy: statement 2 has no condition": OWN_BUS,
    "RolePolicy rotation-guard-repair-notify: policy: statement 2 takes any events:source": OWN_BUS,
    "RolePolicy rotation-guard-repair-notify: removed": CODE,
    "RolePolicy rotation-guard-repair-notify: without statement 1, sns:Publish": CODE,
    "RolePolicy rotation-guard-repair-probe: removed": CODE,
    "RolePolicy rotation-guard-repair-probe: without statement 1, lambda:InvokeFunction": CODE,
    "RolePolicy rotation-guard-repair-retry: removed": CODE,
    "RolePolicy rotation-guard-repair-retry: without statement 2, lambda:InvokeFunction": CODE,
    "RolePolicy rotation-guard-repair-start: without statement 1, states:StartExecution": CODE,
    "RolePolicy rotation-guard-trail-writer: policy: statement 2 has no condition": OWN_ROWS,
    "RolePolicy rotation-guard-trail-writer: policy: statement 2 takes any dynamodb:LeadingKeys": OWN_ROWS,
    "RolePolicy rotation-guard-repair-workflow: policy: statement 2 has no condition": OWN_ROWS,
    "RolePolicy rotation-guard-repair-workflow: policy: statement 2 takes any dynamodb:LeadingKeys": OWN_ROWS,
    "RolePolicy rotation-guard-repair-retry: policy: statement 1 is for every resource": OPT_IN,
    "RolePolicy rotation-guard-repair-move: policy: statement 1 is for every resource": OPT_IN,
    "RolePolicy rotation-guard-repair-retry: policy: statement 1 lacks the condition secretsmanager:*": STRICTER,
    "RolePolicy rotation-guard-repair-move: policy: statement 1 lacks the condition secretsmanager:*": STRICTER,
    **{
        f'Permission rotation-guard-events-{route}-remediation: principal = "*"': HELD
        for route in ("failed", "stuck", "stalled", "success", "moved")
    },
    'Permission rotation-guard-demo-rotation: principal = "*"': HELD,
    "RolePolicy rotation-guard-repair-watch: policy: statement 2 is for arn:aws:ecs:*": INVENTORY,
    "Permission rotation-guard-demo-rotation: removed": (
        "it cannot be deployed: AWS rejects a rotation whose function Secrets Manager may not invoke"
    ),
    "EventSourceMapping rotation-guard-trail-events: enabled = false": (
        "a reader may be disabled for a while; its queue keeps the messages"
    ),
}
"""Mutations without a complaint, with the reason; a name may end in `*`."""
BAR = 0.94
"""The share of mutations that the pack must notice: the others are listed above, with their reasons."""


def _stack(name, **settings):
    config = {**stack_config(name), **{f"rotation-guard:{key}": json.dumps(value) for key, value in settings.items()}}
    return tuple(read_resources(deploy_program(config, stack=name)))


def _survivors(stack, mutated):
    test = MutationTest(stack)
    return [mutation.what for mutation in mutated if not test.kills(mutation)]


@pytest.fixture(scope="module")
def dev():
    """Our own stack with every setting."""
    here = "eu-west-1:111122223333"
    return _stack(
        "dev",
        subscriptions=[{"topic": "critical", "protocol": "https", "endpoint": "https://example.com/h"}],
        restartTargets=[
            f"arn:aws:ecs:{here}:service/shop/orders",
            f"arn:aws:lambda:{here}:function:api",
            f"arn:aws:ssm:{here}:document/restart",
        ],
        restartRoleArns=["arn:aws:iam::111122223333:role/automation"],
    )


def _means(listed, what):
    return what.startswith(listed[:-1]) if listed.endswith("*") else what == listed


def test_every_mutation_is_killed_except_those_that_are_listed(dev):
    prod = _stack("prod")
    of_dev = list(mutations(dev))
    # Optional in dev, required in prod.
    of_prod = [mutation for mutation in mutations(prod) if "deletionProtection" in mutation.what]
    names = [mutation.what for mutation in [*of_dev, *of_prod]]
    survivors = [*_survivors(dev, of_dev), *_survivors(prod, of_prod)]

    assert of_prod
    assert len(names) > 600
    assert [what for what in survivors if not any(_means(listed, what) for listed in SURVIVORS)] == []
    listed_and_killed = {what for listed in SURVIVORS for what in names if _means(listed, what)} - set(survivors)
    assert not listed_and_killed
    assert len(survivors) <= (1 - BAR) * len(names)


def test_every_listed_survivor_exists(dev):
    names = [mutation.what for mutation in mutations(dev)]

    assert [listed for listed in SURVIVORS if not any(_means(listed, what) for what in names)] == []


@pytest.mark.parametrize(
    "type_",
    [
        resource_types.QUEUE,
        resource_types.TOPIC,
        resource_types.EVENT_TARGET,
        resource_types.ROLE,
        resource_types.FUNCTION,
        resource_types.TABLE,
    ],
)
def test_each_resource_of_the_stack_has_mutations(dev, type_):
    names = [mutation.what for mutation in mutations(dev)]
    made = [resource.name for resource in dev if resource.type == type_]

    assert made
    assert [name for name in made if not any(f"{type_.rpartition(':')[2]} {name}: " in what for what in names)] == []
