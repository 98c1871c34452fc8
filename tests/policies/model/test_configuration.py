"""The configuration sets levels and parameters, and an invalid one is rejected with a message."""

import pytest

from policies.model.configuration import InvalidConfiguration, read
from policies.model.evaluation import check
from policies.rules import RULES
from tests.policies.programs import program, queue

KEEPS = "queue-keeps-messages"
RESOURCES = program(queue("orders", redrivePolicy="{}")).stack().resources
CHOSEN = program(queue("orders", messageRetentionSeconds=86_400, redrivePolicy="{}")).stack().resources


def levels(config, resources=RESOURCES):
    return {complaint.policy: complaint.enforcement for complaint in check(resources, config).complaints}


@pytest.mark.parametrize(
    ("config", "level"),
    [
        ({}, "mandatory"),
        ({KEEPS: "advisory"}, "advisory"),
        ({KEEPS: {"enforcementLevel": "advisory"}}, "advisory"),
        ({"all": "advisory"}, "advisory"),
        ({"all": "disabled", KEEPS: "mandatory"}, "mandatory"),
        ({KEEPS: "remediate"}, "mandatory"),
        ({KEEPS: "disabled"}, None),
        ({KEEPS: {"minRetentionDays": 4}}, None),
        ({KEEPS: {"minRetentionDays": 4.0}}, None),
    ],
)
def test_a_level_and_a_parameter_apply(config, level):
    assert levels(config).get(KEEPS) == level


@pytest.mark.parametrize(
    ("config", "level"),
    [
        ({}, "advisory"),
        ({KEEPS: "mandatory"}, "advisory"),
        ({KEEPS: {"minRetentionDays": 14}}, "mandatory"),
        ({KEEPS: {"enforcementLevel": "advisory", "minRetentionDays": 14}}, "advisory"),
        ({KEEPS: {"minRetentionDays": 1}}, None),
    ],
)
def test_a_finding_of_a_mandatory_rule_may_be_advisory(config, level):
    assert levels(config, CHOSEN).get(KEEPS) == level


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (
            {"queue-keep-messages": "advisory"},
            "There is no rule queue-keep-messages; did you mean queue-keeps-messages?",
        ),
        ({"alle": "advisory"}, "did you mean all?"),
        ({KEEPS: "sometimes"}, "The enforcement level of queue-keeps-messages must be one of"),
        ({KEEPS: {"minRetention": 3}}, "has no parameter minRetention; did you mean minRetentionDays?"),
        ({KEEPS: {"weeks": 3}}, "it takes minRetentionDays"),
        ({"queue-is-encrypted": {"weeks": 3}}, "it takes none"),
        ({KEEPS: {"minRetentionDays": 15}}, "queue-keeps-messages.minRetentionDays must be at most 14, got 15"),
        ({KEEPS: {"minRetentionDays": "7"}}, "must be a number, got '7'"),
        ({KEEPS: {"minRetentionDays": True}}, "must be a number, got true"),
        ({"queue-retries-before-dead-letters": {"minReceiveCount": 2.5}}, "must be an integer, got 2.5"),
        ({"exemptions-are-in-order": {"entries": [{"urn": "x"}]}}, "entries[0] has no urn"),
        (
            {"role-trust-is-not-open": {"trustedAccounts": ["1111"]}},
            "role-trust-is-not-open.trustedAccounts[0] must match ^[0-9]{12}$, got '1111'",
        ),
        ({"queue-policy-is-not-open": {"trustedAccounts": [111122223333]}}, "must be a string, got 111122223333"),
        ({"resource-policy-is-not-open": {"trustedOrganizations": ["acme"]}}, "must match ^o-[a-z0-9]{10,32}$"),
        ({KEEPS: 7}, "must be an enforcement level or a map, got 7"),
        ([], "must be a map from rules to settings"),
        (
            {"queue-is-encrypted": "remediate"},
            "queue-is-encrypted cannot be remediate: only these rules have a remediation: ",
        ),
        (
            {"queue-is-encrypted": {"enforcementLevel": "remediate"}, "queue-has-dead-letters": "remediate"},
            "queue-has-dead-letters, queue-is-encrypted cannot be remediate: ",
        ),
        ({"all": "remediate"}, "all cannot be remediate: only these rules have a remediation: "),
    ],
)
def test_an_invalid_configuration_is_rejected(config, sentence):
    with pytest.raises(InvalidConfiguration) as refused:
        read(config, RULES)
    assert sentence in str(refused.value)


def test_all_errors_are_reported_together():
    with pytest.raises(InvalidConfiguration) as refused:
        read({"nonsense": "advisory", KEEPS: {"minRetentionDays": -1}}, RULES)
    assert len(str(refused.value).splitlines()) == 2
