"""One statement, one complaint: if several rules find fault with a statement or input, one of them reports it."""

import re
from collections import defaultdict

import pytest

from local.check_own_stack import check_stacks
from policies.model.evaluation import check
from policies.model.precedence import ORDER, list_preceding
from policies.rules import RULES
from tests.policies.conftest import DAY
from tests.policies.programs import (
    ACCOUNT,
    Program,
    allow,
    function,
    json_of,
    make,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    schedule,
    state_machine,
    topic,
)
from tests.policies.small_stacks import BAD, GOOD

attachment = make("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
search_domain = make("aws:opensearch/domain:Domain")
claim = function("claim")
flow_role = role("flow")
flow = state_machine(
    "flow",
    roleArn=flow_role.arn,
    definition=json_of(StartAt="Claim", States={"Claim": {"Type": "Task", "Resource": claim.arn, "End": True}}),
)


def role_policy_for(action, resource="*", *, to=flow_role):
    """The only policy of a role."""
    return role_policy(
        "grants", role=to.name, policy=policy({"Effect": "Allow", "Action": action, "Resource": resource})
    )


def trust(service):
    """A trust policy for a service, without a condition."""
    return policy(allow({"Service": service}, "sts:AssumeRole", None))


LIMITED = "state-machine-role-is-limited-to-its-calls"
auditor, starter = role("audit"), role("starter", assumeRolePolicy=trust("scheduler.amazonaws.com"))
SHARED: dict[str, tuple[Program, tuple[str, ...], str]] = {
    "an action of a state machine's role on everything": (
        program(claim, flow_role, flow, role_policy_for("lambda:InvokeFunction")),
        ("policy-names-its-resources",),
        LIMITED,
    ),
    "every function for a state machine's role": (
        program(
            claim, flow_role, flow, role_policy_for("lambda:InvokeFunction", f"arn:aws:lambda:*:{ACCOUNT}:function:*")
        ),
        ("policy-covers-no-whole-type",),
        LIMITED,
    ),
    "a whole service for a state machine's role": (
        program(claim, flow_role, flow, role_policy_for("s3:*")),
        ("policy-names-its-actions",),
        LIMITED,
    ),
    "a misspelled action of a state machine's role": (
        program(claim, flow_role, flow, role_policy_for("lambda:InvokeFuntion", claim.arn)),
        (),
        "actions-exist",
    ),
    "an administrator as a state machine's role": (
        program(
            claim,
            flow_role,
            flow,
            attachment("all", role=flow_role.name, policyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
        ),
        (LIMITED,),
        "no-full-access-policy-is-attached",
    ),
    "a whole service for an auditor": (
        program(auditor, role_policy_for("secretsmanager:*", to=auditor)),
        ("policy-names-its-actions",),
        "auditor-reads-no-secret",
    ),
    "the values of all secrets for an auditor": (
        program(auditor, role_policy_for("secretsmanager:GetSecretValue", to=auditor)),
        ("policy-names-its-resources",),
        "auditor-reads-no-secret",
    ),
    "any role passed to any service": (
        program(auditor, role_policy_for("iam:PassRole", to=auditor)),
        ("policy-names-its-resources",),
        "passed-role-is-named",
    ),
    "every role of the account passed to any service": (
        program(auditor, role_policy_for("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/*", to=auditor)),
        ("policy-covers-no-whole-type",),
        "passed-role-is-named",
    ),
    "a role that anyone may assume in any way": (
        program(role("app", assumeRolePolicy=policy(allow("*", "sts:*", None)))),
        ("policy-names-its-actions",),
        "role-trust-is-not-open",
    ),
    "all actions on a queue for anyone": (
        program(queue_policy("open", queueUrl=queue("orders").url, policy=policy(allow("*", "sqs:*", "*")))),
        (),
        "queue-policy-is-not-open",
    ),
    "all actions on a topic for anyone": (
        program(topic("news", policy=policy(allow("*", "sns:*", "*")))),
        ("policy-names-its-actions",),
        "topic-publishers-are-limited",
    ),
    "all actions on a search domain for anyone": (
        program(search_domain("logs", accessPolicies=policy(allow("*", "es:*", "*")))),
        ("policy-names-its-actions",),
        "search-domain-is-not-open",
    ),
    "Scheduler for a schedule without a condition": (
        program(starter, schedule("nightly", target={"arn": claim.arn, "roleArn": starter.arn})),
        ("schedule-role-trusts-its-group-alone",),
        "trusted-service-acts-for-a-known-source",
    ),
}
"""A program, the rules that find fault with a statement in it, and the one that reports it."""


@pytest.mark.parametrize("what", SHARED)
def test_only_the_most_specific_rule_reports(what):
    resources = SHARED[what][0].stack().resources
    silent, speaks = SHARED[what][1:]
    for name in (*silent, speaks):
        alone = check(resources, {"all": "disabled", name: RULES[name].enforcement}).complaints
        assert [complaint.policy for complaint in alone] == [name], "it finds fault with the statement"
    together = [complaint.policy for complaint in check(resources).complaints if complaint.policy in (*silent, speaks)]
    assert together == [speaks]


@pytest.mark.parametrize("what", SHARED)
def test_only_the_most_specific_rule_reports_in_the_engine(what, engine):
    whole, silent, speaks = SHARED[what]
    named = [diagnostic.policyName for _, diagnostic in engine().run(whole, preview=False)]
    assert [name for name in named if name in (*silent, speaks)] == [speaks]


def test_where_the_specific_rule_is_disabled_or_exempt_the_general_one_reports():
    whole, (general,), specific = SHARED["an action of a state machine's role on everything"]
    resources = whole.stack().resources
    assert general in {complaint.policy for complaint in check(resources, {specific: "disabled"}).complaints}
    entry = {"policy": specific, "resource": "*::flow", "owner": "shop", "reason": "known", "until": "2030-06-01"}
    config = {"exemptions-are-in-order": {"entries": [entry]}}
    named = {complaint.policy for complaint in check(resources, config, day=DAY).complaints}
    assert general in named
    assert specific not in named


def test_an_advisory_finding_does_not_replace_a_mandatory_one():
    whole, (general,), specific = SHARED["an action of a state machine's role on everything"]
    levels = {
        complaint.policy: complaint.enforcement
        for complaint in check(whole.stack().resources, {specific: "advisory"}).complaints
    }
    assert (levels[general], levels[specific]) == ("mandatory", "advisory")


def test_the_order_has_existing_rules_and_no_stack_rule_precedes_a_resource_rule():
    assert set(ORDER) <= set(RULES)
    assert len(ORDER) == len(set(ORDER))
    assert list_names_before("policy-names-its-resources") >= {"policy-names-its-actions", LIMITED}
    assert not any(RULES[name].needs_stack for name in list_names_before("trusted-service-acts-for-a-known-source"))


def list_names_before(name):
    return {rule.name for rule in list_preceding(RULES[name], RULES)}


# --- every program ---------------------------------------------------------------------------------------------------

TWO_LIMITS = "one asks for a minimum, the other for more than the source has: what satisfies one may leave the other"
TWO_MISTAKES = "an action that does not exist is one mistake, and what else the statement allows another"
LISTED = {
    frozenset({"dead-letters-outlive-their-sources", "queue-keeps-messages"}): TWO_LIMITS,
    **{
        frozenset({"actions-exist", name}): TWO_MISTAKES
        for name in ("policy-covers-no-whole-type", "policy-names-its-actions", "policy-lists-what-it-allows")
    },
}
"""Rules that may report the same statement or input, with the reason."""


def subjects_of(complaint):
    """The subject of a complaint by its text: a statement of a policy, or else the inputs in it."""
    resource = str(complaint.urn).rpartition("::")[2]
    if "The pattern of" in complaint.finding:
        return {(resource, "eventPattern")}
    statement = re.search(r"\b(statement \w+)(?: (?:of|in) ((?!assumeRolePolicy|its trust)[\w-]+))?", complaint.finding)
    if statement:
        is_of_trust = "assumeRolePolicy" in complaint.finding or "trust policy" in complaint.finding
        return {(statement[2] or resource, f"{'trust ' if is_of_trust else ''}{statement[1]}")}
    inputs = re.findall(r"\b[a-z]+(?:[A-Z][a-z]+)+(?:\.\w+)*", complaint.message)
    return {(resource, path) for path in inputs if path != resource}


def shared_subjects(report):
    """The rules of subjects with several complaints."""
    complaints = defaultdict(list)
    for complaint in report.complaints:
        for subject in subjects_of(complaint):
            complaints[subject].append(complaint)
    return {
        (frozenset(complaint.policy for complaint in about_subject), subject)
        for subject, about_subject in complaints.items()
        if len({complaint.finding for complaint in about_subject}) > 1
    }


def test_no_statement_or_input_has_two_complaints_except_those_that_are_listed(cases):
    stacks = [case.program.stack().resources for case in cases]
    stacks += [example.stack().resources for example in (GOOD, BAD, *(whole for whole, *_ in SHARED.values()))]
    all_reports = [check(resources) for resources in stacks] + list(check_stacks().values())
    shared = {pair for report in all_reports for pair in shared_subjects(report)}
    assert sum(len(report.complaints) for report in all_reports) > 2000
    assert {pair for pair in shared if pair[0] not in LISTED} == set()
    assert set(LISTED) == {names for names, _ in shared}, "a reason for what does not occur"
