"""Whatever makes a program in the style of public ones worse, or wider, makes some rule speak."""

import pytest

from policies.model.evaluation import check
from policies.rules import RULES
from tests.policies.mutations import MutationTest, mutations
from tests.policies.programs import ACCOUNT
from tests.policies.public_parts import PARTNER
from tests.policies.public_programs import PROGRAMS, make_resources
from tests.policies.widened import widenings

_KNOWN = {"trustedAccounts": [ACCOUNT, PARTNER], "trustedOrganizations": ["o-acme123456"]}
CONFIG = {name: _KNOWN for name, rule in RULES.items() if "trustedAccounts" in rule.parameters}
"""An account that is named is no stranger unless the pack is told who is known."""

HELD = "its condition holds it to our own resource or account, so that nobody else is let in"
DENIED = "a Deny keeps out everybody but the accounts that are named"
ONE_IS_ENOUGH = "the other of the two conditions keeps strangers out as well"
SUBJECT = "the subject of the token names the environment of one repository"
CODE = "what a partner or a function's code needs, only they know"
REFUSED = "AWS refuses to deploy it: a rotation or a mapping whose function may not, a key that locks its owner out"
KEYS = "AWS's own page lets a service use the key of a topic without a source"
ROOT = "the account that owns a key may do everything with it, by AWS's default key policy"
OWN_ACCOUNT = "without a policy AWS lets the topic's own account publish, and that is who does"
FILTER = "what a reader leaves out or waits for, and whether it is on, is its author's choice"
SPLIT = "a batch of a stream is split on an error, so that good records are not lost with a bad one"
INVENTORY = "it only shows what there is, which is accepted on all of a type"
NAMED = "the bucket is named"
METRIC = "which of its metrics a program watches it decides itself, but for dead letters"
PAGES = "whoever visits the site sees that CloudFront may not read it"
PLAIN = "no rule asks for TLS"
SURVIVORS: dict[str, str] = {
    "alarms_to_chat: Key alarms: policy: statement 0 allows every action": ROOT,
    "alarms_to_chat: Key alarms: policy: statement 0 is gone": REFUSED,
    "alarms_to_chat: Key alarms: policy: statement 1 asks for all but one value": KEYS,
    "alarms_to_chat: Key alarms: policy: statement 1 compares its conditions with themselves": KEYS,
    "alarms_to_chat: Key alarms: policy: statement 1 has StringEquals ...": KEYS,
    "alarms_to_chat: Key alarms: policy: statement 1 has aws:SourceAccount ...": KEYS,
    "alarms_to_chat: Key alarms: policy: statement 1 has no condition": KEYS,
    "alarms_to_chat: Key alarms: policy: statement 1 is for every principal": HELD,
    "alarms_to_chat: Key alarms: policy: statement 1 takes any aws:SourceAccount": KEYS,
    "alarms_to_chat: MetricAlarm errors: removed": METRIC,
    'alarms_to_chat: Permission chat: principal = "*"': HELD,
    "alarms_to_chat: QueuePolicy chat-dead-letters: policy: statement 0 is for every principal": HELD,
    "alarms_to_chat: TopicPolicy on-call: policy: statement 0 has aws:Source...": ONE_IS_ENOUGH,
    "alarms_to_chat: TopicPolicy on-call: policy: statement 0 is for every principal": HELD,
    "alarms_to_chat: TopicPolicy on-call: policy: statement 0 lacks the condition ...": ONE_IS_ENOUGH,
    "alarms_to_chat: TopicPolicy on-call: removed": OWN_ACCOUNT,
    "click_stream: EventSourceMapping clicks: enabled = false": FILTER,
    "click_stream: EventSourceMapping clicks: filterCriteria = ...": FILTER,
    "click_stream: EventSourceMapping clicks: functionResponseTypes = []": SPLIT,
    "click_stream: EventSourceMapping clicks: maximumBatchingWindowInSeconds = 300": FILTER,
    "click_stream: EventSourceMapping clicks: without functionResponseTypes": SPLIT,
    "deployment_by_github: Role deployer: assumeRolePolicy: statement 0 lacks the condition ...:aud": SUBJECT,
    "deployment_by_github: RolePolicy deployer: policy: statement 1 is for arn:aws:...": INVENTORY,
    'event_fan_out: Permission invoicing: principal = "*"': HELD,
    "event_fan_out: QueuePolicy paid-dead-letters: policy: statement 0 is for every principal": HELD,
    "event_fan_out: QueuePolicy shipping: policy: statement 0 is for every principal": HELD,
    "nightly_report: Role report-starter: assumeRolePolicy: statement 0 has aws:SourceArn ...:schedule-group/reports": (
        ONE_IS_ENOUGH
    ),
    "order_api: Permission ordering-partner: removed": CODE,
    "reader_of_another_account: BucketPolicy shared: policy: statement 0 is for all but a stranger": DENIED,
    "reader_of_another_account: BucketPolicy shared: policy: statement 0 is for every principal": DENIED,
    "reader_of_another_account: BucketPolicy shared: policy: statement 0 is for everybody too": DENIED,
    "reader_of_another_account: BucketPolicy shared: policy: statement 0 is gone": CODE,
    "reader_of_another_account: BucketPolicy shared: policy: statement 1 is gone": CODE,
    "reader_of_another_account: Key shared: policy: statement 0 allows every action": ROOT,
    "reader_of_another_account: Key shared: policy: statement 0 is gone": REFUSED,
    "reader_of_another_account: Key shared: policy: statement 1 is gone": CODE,
    "reader_of_another_account: Key shared: policy: statement 1 lacks kms:...": CODE,
    "reader_of_another_account: RolePolicy partner-reader: policy: statement 0 is for arn:aws:s3:::acme-...": NAMED,
    'rotated_secret: Permission rotating: principal = "*"': HELD,
    "rotated_secret: Permission rotating: removed": REFUSED,
    "rotated_secret: QueuePolicy rotation-dead-letters: policy: statement 0 is for every principal": HELD,
    "rotated_secret: SecretPolicy database: policy: another statement for everybody": DENIED,
    "rotated_secret: SecretPolicy database: policy: statement 1 is gone": CODE,
    'secret_audit: Permission secret-audit: principal = "*"': HELD,
    "secret_audit: QueuePolicy daily-dead-letters: policy: statement 0 is for every principal": HELD,
    "secret_audit: RolePolicy secret-audit: policy: statement 1 is for arn:aws:...": INVENTORY,
    "thumbnails: EventSourceMapping thumbnail-maker-reads: enabled = false": FILTER,
    "thumbnails: EventSourceMapping thumbnail-maker-reads: filterCriteria = ...": FILTER,
    "thumbnails: QueuePolicy thumbnail-work: policy: statement 0 is for every principal": HELD,
    "thumbnails: QueuePolicy undelivered: policy: statement 0 is for every principal": HELD,
    "thumbnails: RolePolicy thumbnail-maker: policy: statement 1 is gone": REFUSED,
    "thumbnails: TopicPolicy uploaded: policy: statement 0 has aws:Source...": ONE_IS_ENOUGH,
    "thumbnails: TopicPolicy uploaded: policy: statement 0 is for every principal": HELD,
    "thumbnails: TopicPolicy uploaded: policy: statement 0 lacks the condition ...": ONE_IS_ENOUGH,
    "website: BucketPolicy pages: policy: statement 0 is for another service": PAGES,
    "website: BucketPolicy pages: policy: statement 0 is for every principal": HELD,
    "website: BucketPolicy pages: policy: statement 0 is gone": PAGES,
    "website: BucketPolicy pages: policy: statement 1 is gone": PLAIN,
}
"""Mutations that no rule complains of, and why that is right; `...` stands for anything."""

PENDING: dict[str, str] = {}
"""Mutations that a rule should complain of, and what is missing; one that is killed has to leave the list."""
BAR = 0.95


def _find_complaints(resources):
    return {(complaint.policy, complaint.message) for complaint in check(resources, CONFIG).complaints}


@pytest.fixture(scope="module")
def outcome():
    """Whether a rule speaks of each mutation of each program, by name."""
    killed = {}
    for title, make in PROGRAMS.items():
        resources = make_resources(make())
        test = MutationTest(resources, CONFIG)
        for mutation in (*mutations(resources), *widenings(resources)):
            name = f"{title}: {mutation.what}"
            if name not in killed:
                killed[name] = test.kills(mutation)
    return killed


def _means(listed, name):
    beginning, dots, end = listed.partition("...")
    return name.startswith(beginning) and name.endswith(end) if dots else name == listed


def _listed(listed, names):
    return {name for name in names if any(_means(pattern, name) for pattern in listed)}


@pytest.mark.parametrize("title", PROGRAMS)
def test_no_rule_complains_of_a_program_that_is_in_order(title):
    assert _find_complaints(make_resources(PROGRAMS[title]())) == set()


def test_every_mutation_is_killed_but_those_that_are_listed_with_a_reason(outcome):
    survivors = {name for name, is_killed in outcome.items() if not is_killed}
    pending = _listed(PENDING, outcome)

    assert len(PROGRAMS) >= 10
    assert len(outcome) > 1400
    assert survivors - pending - _listed(SURVIVORS, outcome) == set()
    assert pending - survivors == set()
    assert len(survivors - pending) <= (1 - BAR) * len(outcome)


def test_a_survivor_that_is_killed_or_gone_has_to_leave_the_list(outcome):
    survivors = {name for name, is_killed in outcome.items() if not is_killed}

    assert [pattern for pattern in (*SURVIVORS, *PENDING) if not _listed([pattern], survivors)] == []
    assert _listed(SURVIVORS, outcome) - survivors == set()
