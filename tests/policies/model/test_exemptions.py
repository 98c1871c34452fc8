"""A valid exemption disables one rule for one resource; an invalid one has no effect and is reported."""

from datetime import date, timedelta

import pytest

from policies.model.evaluation import check
from policies.model.exemptions import NAME
from tests.policies.programs import UNKNOWN, component, program, queue

DAY = date(2030, 1, 1)
KEEPS = "queue-keeps-messages"
ENTRY = {
    "policy": KEEPS,
    "resource": "*::aws:sqs/queue:Queue::orders",
    "owner": "shop",
    "reason": "read within minutes",
    "until": "2030-06-30",
}
TAGS = {
    f"rotation-guard:exempt-{KEEPS}": "read within minutes",
    "rotation-guard:exempt-until": "2030-06-30",
    "rotation-guard:owner": "shop",
}


def evaluate(*resources, entries=()):
    config = {NAME: {"entries": list(entries)}, "queue-has-dead-letters": "disabled"}
    return check(program(*resources).stack().resources, config, day=DAY)


def policies_of(report):
    return sorted(complaint.policy for complaint in report.complaints)


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        {**ENTRY, "until": "2030-01-01"},
        {**ENTRY, "until": "2031-01-01"},
        {key: value for key, value in ENTRY.items() if key != "resource"} | {"tag": "team=shop"},
    ],
    ids=["by URN", "its last day", "a year away", "by tag"],
)
def test_a_valid_entry_exempts(entry):
    report = evaluate(queue("orders", tags={"team": "shop"}), entries=[entry])
    assert policies_of(report) == []
    [exemption] = report.exemptions
    assert exemption.urn.endswith("::orders")
    assert exemption.days_left == (date.fromisoformat(entry["until"]) - DAY).days


def test_valid_tags_exempt_their_resource_only():
    report = evaluate(queue("orders", tags=TAGS), queue("other"))
    assert [(complaint.policy, complaint.urn.rpartition(":")[2]) for complaint in report.complaints] == [
        (KEEPS, "other")
    ]
    assert [exemption.reason for exemption in report.exemptions] == ["read within minutes"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"owner": " "}, "has no owner"),
        ({"reason": ""}, "has no reason"),
        ({"until": ""}, "until is not set"),
        ({"until": "next summer"}, "'next summer', which is not a date"),
        ({"until": str(DAY - timedelta(days=1))}, "ended on 2029-12-31"),
        ({"until": "2030-02-30"}, "'2030-02-30', which is not a date"),
        ({"until": "20300630"}, "'20300630', which is not a date"),
        ({"until": "2031-01-02"}, "until is 2031-01-02. Set until to 2031-01-01 or earlier"),
        ({"policy": "queue-keep-messages"}, "did you mean queue-keeps-messages?"),
        ({"policy": ""}, "names no policy"),
        ({"policy": NAME}, "allows none"),
        ({"resource": ""}, "names no resource"),
        ({"resource": "*::orders-of-old"}, "matches nothing"),
        ({"resource": "", "tag": "team"}, "tag is 'team'. Set tag to key=value"),
    ],
)
def test_an_invalid_entry_exempts_nothing(changed, words):
    report = evaluate(queue("orders"), entries=[ENTRY | changed])
    assert policies_of(report) == [NAME, KEEPS]
    complaint = next(complaint for complaint in report.complaints if complaint.policy == NAME)
    assert words in complaint.message
    assert complaint.enforcement == "mandatory"
    assert not report.exemptions


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "**", "?*", "*:*", "*::*", "*::*::*", "urn:*", "urn:pulumi:*", "urn:pulumi:*::*::*::*"),
        *("*aws:*", "*Queue::*", "*aws:sqs/queue:Queue::*", "urn:pulumi:*::*aws:sqs/*"),
    ],
)
def test_a_pattern_that_matches_everything_exempts_nothing(pattern):
    report = evaluate(queue("orders"), entries=[ENTRY | {"resource": pattern}])
    assert policies_of(report) == [NAME, KEEPS]
    assert "matches every resource that this policy checks" in next(iter(report.complaints)).message


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": "*orders"},
        {"resource": "urn:pulumi:dev::*"},
        {"resource": "*::shop::*"},
        {"resource": "urn:pulumi:dev::shop::aws:sqs/queue:Queue::o*"},
        {"resource": "*::order?"},
        {"resource": "*", "tag": "team=shop"},
    ],
)
def test_a_pattern_that_excludes_something_is_valid(entry):
    report = evaluate(queue("orders", tags={"team": "shop"}), entries=[ENTRY | entry])
    assert policies_of(report) == []


@pytest.mark.parametrize(
    ("pattern", "name", "is_met"),
    [
        ("*::jobs[0]", "jobs[0]", True),
        ("*::jobs[0]", "jobs0", False),
        ("*::jobs[!1]", "jobs2", False),
        ("*::jobs[a-z]*", "jobs[a-z]-dead", True),
        ("*::jobs[*", "jobs[1]", True),
        ("*::jobs]", "jobs]", True),
        ("*::jobs.?", "jobs.1", True),
        ("*::jobs.?", "jobs-1", False),
        ("*::JOBS", "jobs", False),
    ],
)
def test_brackets_in_a_pattern_are_literal(pattern, name, is_met):
    report = evaluate(queue(name), entries=[ENTRY | {"resource": pattern}])
    assert policies_of(report) == ([] if is_met else [NAME, KEEPS])


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"rotation-guard:owner": ""}, "Set rotation-guard:owner"),
        ({"rotation-guard:exempt-until": "2029-12-31"}, "ended on"),
        ({f"rotation-guard:exempt-{KEEPS}": ""}, "has no reason"),
    ],
)
def test_invalid_tags_exempt_nothing(changed, words):
    report = evaluate(queue("orders", tags=TAGS | changed))
    assert policies_of(report) == [NAME, KEEPS]
    [complaint] = [complaint for complaint in report.complaints if complaint.policy == NAME]
    assert words in complaint.message
    assert str(complaint.urn).endswith("::orders")


def test_a_tag_for_a_policy_of_another_type_matches_nothing():
    tags = {key.replace(KEEPS, "queue-policy-is-not-opened"): value for key, value in TAGS.items()}
    report = evaluate(queue("orders", tags=tags, messageRetentionSeconds=1209600))
    assert "does not exist" in report.complaints[0].message


def test_tags_of_the_audit_are_no_exemptions():
    tags = {"rotation-guard:exempt-until": "2029-01-01", "rotation-guard:exempt-reason": "legacy"}
    assert policies_of(evaluate(queue("orders", tags=tags, messageRetentionSeconds=1209600))) == []


def test_an_exemption_from_one_rule_does_not_affect_others():
    report = evaluate(queue("orders", sqsManagedSseEnabled=False), entries=[ENTRY])
    assert policies_of(report) == ["queue-is-encrypted"]


@pytest.mark.parametrize(
    ("day", "last"), [("2027-03-01", "2028-03-01"), ("2028-02-29", "2029-02-28"), ("2028-02-28", "2029-02-28")]
)
def test_a_year_is_a_year_with_a_leap_day_or_without(day, last):
    beyond = str(date.fromisoformat(last) + timedelta(days=1))
    for until, complaints in ((last, []), (beyond, [NAME, KEEPS])):
        config = {NAME: {"entries": [{**ENTRY, "until": until}]}, "queue-has-dead-letters": "disabled"}
        stack = program(queue("orders")).stack()
        assert policies_of(check(stack.resources, config, day=date.fromisoformat(day))) == complaints


def test_a_duplicate_exemption_is_listed_once():
    assert len(evaluate(queue("orders"), entries=[ENTRY, dict(ENTRY)]).exemptions) == 1


def test_tags_of_components_and_external_resources_are_ignored():
    whole = program(component("shop", tags=TAGS), external=[queue("theirs", tags=TAGS | {"rotation-guard:owner": ""})])
    assert policies_of(check(whole.stack().resources, day=DAY)) == []


def test_a_preview_that_does_not_know_a_value_keeps_the_exemption():
    orders = queue("orders", messageRetentionSeconds=UNKNOWN, tags=TAGS)
    report = check(program(orders).stack(preview=True).resources, {"queue-has-dead-letters": "disabled"}, day=DAY)
    assert policies_of(report) == []
    assert [exemption.days_left for exemption in report.exemptions] == [180]
