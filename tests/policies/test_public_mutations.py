"""Some rule complains about every mutation of programs in the style of public ones."""

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
"""Named accounts are trusted unless the configuration lists the trusted ones."""

HELD = "its condition restricts it to our own resource or account"
DENIED = "a Deny restricts it to the named accounts"
ONE_IS_ENOUGH = "the other of the two conditions is enough"
SUBJECT = "the subject of the token has the environment of one repository"
CODE = "the needs of a partner or a function's code are unknown"
REFUSED = "it cannot be deployed: AWS rejects it"
KEYS = "AWS's documentation has no condition for the key of a topic"
ROOT = "the default key policy allows everything to the owner's account"
OWN_ACCOUNT = "by default the topic's own account may publish, and only that does"
FILTER = "filters, batching and whether a reader is enabled are choices"
SPLIT = "the batch is split on an error, so that only bad records fail"
INVENTORY = "it only lists resources, which is accepted on all of a type"
NAMED = "the bucket is named"
METRIC = "alarms are a choice, except for those on dead-letter queues"
PAGES = "visitors of the site notice that CloudFront may not read it"
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
"""Mutations that a rule should find but does not; one that is found must leave the list."""
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
def test_a_compliant_program_has_no_complaints(title):
    assert _find_complaints(make_resources(PROGRAMS[title]())) == set()


def test_every_mutation_is_killed_except_those_that_are_listed(outcome):
    survivors = {name for name, is_killed in outcome.items() if not is_killed}
    pending = _listed(PENDING, outcome)

    assert len(PROGRAMS) >= 10
    assert len(outcome) > 1400
    assert survivors - pending - _listed(SURVIVORS, outcome) == set()
    assert pending - survivors == set()
    assert len(survivors - pending) <= (1 - BAR) * len(outcome)


def test_every_listed_survivor_exists_and_survives(outcome):
    survivors = {name for name, is_killed in outcome.items() if not is_killed}

    assert [pattern for pattern in (*SURVIVORS, *PENDING) if not _listed([pattern], survivors)] == []
    assert _listed(SURVIVORS, outcome) - survivors == set()
