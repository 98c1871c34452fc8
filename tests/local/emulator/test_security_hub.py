"""Security Hub in the embedded AWS: what it takes of a provider, and what it refuses."""

import copy
import uuid

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def hub(aws):
    return aws.client("securityhub")


@pytest.fixture
def finding(aws):
    """A finding with the attributes that AWS requires, and a severity.

    (https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html)
    """
    account = aws.client("sts").get_caller_identity()["Account"]
    return {
        "SchemaVersion": "2018-10-08",
        "Id": f"test/{uuid.uuid4()}",
        "ProductArn": f"arn:aws:securityhub:{aws.region}:{account}:product/{account}/default",
        "GeneratorId": "test",
        "AwsAccountId": account,
        "Types": ["Software and Configuration Checks"],
        "CreatedAt": "2026-03-01T01:00:00Z",
        "UpdatedAt": "2026-03-01T01:00:00Z",
        "Severity": {"Label": "LOW"},
        "Title": "A title",
        "Description": "A description",
        "Resources": [{"Type": "Other", "Id": "one"}],
    }


def read(hub, finding):
    return hub.get_findings(Filters={"Id": [{"Value": finding["Id"], "Comparison": "EQUALS"}]})["Findings"]


def test_a_finding_is_imported_and_updated_under_its_id(hub, finding):
    later = finding | {"UpdatedAt": "2026-03-02T01:00:00Z", "RecordState": "ARCHIVED", "Title": "Over"}
    for state in (finding, later, finding):
        answer = hub.batch_import_findings(Findings=[state])
        assert (answer["SuccessCount"], answer["FailedCount"], answer["FailedFindings"]) == (1, 0, [])

    [stored] = read(hub, finding)
    assert (stored["RecordState"], stored["Title"]) == ("ARCHIVED", "Over")


def test_a_provider_states_severity_and_cannot_change_what_customers_manage(hub, finding):
    hub.batch_import_findings(Findings=[finding])
    provided = {"Severity": {"Label": "HIGH"}, "Types": ["TTPs"]}
    hub.batch_import_findings(
        Findings=[finding | {"FindingProviderFields": provided, "Workflow": {"Status": "RESOLVED"}}]
    )

    [stored] = read(hub, finding)
    assert stored["Severity"]["Label"] == "HIGH"
    assert stored["Workflow"] == {"Status": "NEW"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Title": "t" * 257}, "Title must have 1 to 256 characters, got 257"),
        ({"Description": "d" * 1025}, "Description must have 1 to 1024 characters, got 1025"),
        ({"Id": "i" * 513}, "Id must have 1 to 512 characters, got 513"),
        ({"AwsAccountId": "999999999999"}, "AwsAccountId must be"),
        ({"CreatedAt": "yesterday"}, "CreatedAt must be a time, got yesterday"),
        ({"Severity": {"Label": "SEVERE"}}, "Severity.Label must be one of INFORMATIONAL"),
        ({"Types": ["Rotation/Overdue"]}, "a type must be namespace/category/classifier"),
        ({"Types": []}, "Types is required"),
        ({"Resources": [{"Type": "Other", "Id": str(number)} for number in range(33)]}, "Resources must be 1 to 32"),
        ({"ProductFields": {str(number): "x" for number in range(51)}}, "ProductFields must be at most 50, got 51"),
        ({"ProductFields": {"n" * 129: "x"}}, "a product field must have 128 characters"),
        ({"Remediation": {"Recommendation": {"Text": "t" * 513}}}, "Text must have 1 to 512 characters, got 513"),
    ],
)
def test_a_finding_that_breaks_the_format_fails_alone(hub, finding, change, message):
    right, wrong = finding, copy.deepcopy(finding) | {"Id": f"{finding['Id']}-wrong"} | change

    answer = hub.batch_import_findings(Findings=[wrong, right])

    [failed] = answer["FailedFindings"]
    assert (answer["SuccessCount"], failed["Id"], failed["ErrorCode"]) == (1, wrong["Id"], "InvalidInput")
    assert message in failed["ErrorMessage"]
    assert len(read(hub, right)) == 1
    assert read(hub, wrong) == []


def test_a_finding_of_more_than_240_kb_is_refused(hub, finding):
    large = [{"Type": "Other", "Id": str(number), "Details": {"Other": {"x": "y" * 10_000}}} for number in range(25)]

    [failed] = hub.batch_import_findings(Findings=[finding | {"Resources": large}])["FailedFindings"]

    assert failed["ErrorCode"] == "FindingSizeExceeded"


def test_a_call_has_at_most_a_hundred_findings(hub, finding):
    with pytest.raises(ClientError, match="Findings must be 1 to 100, got 101"):
        hub.batch_import_findings(Findings=[finding] * 101)
