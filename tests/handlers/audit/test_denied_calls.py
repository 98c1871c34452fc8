"""A run that AWS did not answer is no complete one, and says why; one secret that hides itself is no matter of the run.

What was readable is decided here, by the account that refuses, and not by what the run counts.
"""

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

MANAGED = {"Managed": "true"}
URL = "https://secretsmanager.eu-west-1.amazonaws.com"
TROUBLES = {
    "denied": "AccessDeniedException",
    "throttled": "ThrottlingException",
    "unreachable": EndpointConnectionError(endpoint_url=URL),
    "no answer": ReadTimeoutError(endpoint_url=URL),
}


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")


@pytest.fixture
def refuse(aws):
    """Has AWS not list the versions of these secrets, or of all, as of now."""

    def begin(trouble, arns=None):
        def answer(asked):
            if arns is not None and asked["SecretId"] not in arns:
                return None
            if isinstance(trouble, Exception):
                raise trouble
            return aws.Refusal(trouble)

        aws.answer("ListSecretVersionIds", answer)

    return begin


@pytest.fixture
def six(secret):
    """Six secrets under audit."""
    return [secret(f"orders-{number}", MANAGED)["ARN"] for number in range(6)]


def change(aws, arn):
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_first_run_that_could_read_nothing_is_incomplete(six, audit, refuse, trouble):
    refuse(trouble)

    for _ in range(3):  # it does not get used to it
        found = audit()
        assert (found["checked"], found["unknown"], found["complete"]) == (6, 6, False)
        [reason] = found["incomplete_because"]
        assert "none of the 6 secrets" in reason


def test_the_only_secret_of_an_account_is_all_there_is_to_read(secret, audit, refuse):
    secret("orders", MANAGED)
    refuse("AccessDeniedException")

    assert audit()["complete"] is False


def test_a_secret_whose_own_policy_denies_is_unknown_and_nothing_more(six, audit, refuse):
    refuse("AccessDeniedException", six[:1])

    for _ in range(4):
        found = audit()
        assert (found["unknown"], found["complete"]) == (1, True)
        assert found["refused"] == {"access denied": 1}


def test_one_that_comes_to_deny_where_all_others_are_known_is_nothing_more_either(aws, six, audit, refuse):
    audit()
    change(aws, six[0])
    refuse("AccessDeniedException", six[:1])

    found = audit()

    assert (found["unknown"], found["complete"]) == (1, True)


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_a_run_that_could_read_nothing_anew_is_incomplete_though_it_knows_the_others(aws, six, audit, refuse, trouble):
    audit()
    change(aws, six[0])
    refuse(trouble)

    for _ in range(3):
        found = audit()
        assert (found["checked"], found["unknown"], found["complete"]) == (6, 1, False)
        # The one that moved, and another that was readable before.
        assert "none of the 2 secrets" in found["incomplete_because"][0]


def test_a_good_part_of_all_secrets_refused_is_no_matter_of_their_policies(six, audit, refuse):
    refuse("AccessDeniedException", six[:2])

    assert audit()["incomplete_because"] == ["AWS did not list the versions of 2 of 6 secrets: access denied 2."]


def test_two_of_many_that_deny_are_their_own_matter(secret, audit, refuse):
    arns = [secret(f"orders-{number}", MANAGED)["ARN"] for number in range(9)]
    refuse("AccessDeniedException", arns[:2])

    assert audit()["complete"] is True


@pytest.mark.parametrize("trouble", ["ThrottlingException", EndpointConnectionError(endpoint_url=URL)])
def test_several_that_aws_was_too_busy_for_make_a_run_incomplete(secret, audit, refuse, trouble):
    arns = [secret(f"orders-{number}", MANAGED)["ARN"] for number in range(9)]
    refuse(trouble, arns[:2])

    assert audit()["complete"] is False


def test_more_unknown_secrets_than_in_the_last_complete_run_make_a_run_incomplete(aws, secret, audit):
    for number in range(9):
        secret(f"orders-{number}", MANAGED)
    assert audit()["complete"] is True
    for number in range(2):
        aws.client("secretsmanager").create_secret(Name=f"empty-{number}", Tags=[{"Key": "Managed", "Value": "true"}])

    found = audit()

    assert found["incomplete_because"] == ["2 of 11 secrets are unknown; the last complete run had 0 unknown."]


def test_a_few_that_come_to_be_refused_are_never_taken_for_usual(aws, secret, audit, refuse):
    arns = [secret(f"orders-{number}", MANAGED)["ARN"] for number in range(16)]
    assert audit()["complete"] is True
    for arn in arns[:5]:
        change(aws, arn)
    refuse("AccessDeniedException", arns[:5])

    # More than the runs that are looked at in any case.
    found = [audit() for _ in range(13)]

    assert [run["complete"] for run in found] == [False] * 13
    assert found[-1]["incomplete_because"] == ["5 of 16 secrets are unknown; the last complete run had 0 unknown."]
    aws.answer("ListSecretVersionIds", lambda _: None)
    assert "unknown_when_complete" not in audit()


def test_a_run_is_complete_again_once_aws_answers(aws, six, audit, refuse):
    refuse("AccessDeniedException")
    assert audit()["complete"] is False
    aws.answer("ListSecretVersionIds", lambda _: None)

    found = audit()

    assert (found["complete"], found["unknown"]) == (True, 0)
    assert "refused" not in found


def test_aws_is_not_asked_for_every_secret_while_it_answers_none(aws, secret, audit, refuse):
    for number in range(60):
        secret(f"orders-{number:02}", MANAGED)
    asked = []

    def busy(parameters):
        asked.append(parameters["SecretId"])
        raise ConnectTimeoutError(endpoint_url=URL)

    aws.answer("ListSecretVersionIds", busy)

    found = audit()

    assert (found["checked"], found["unknown"], found["complete"]) == (60, 60, False)
    assert len(set(asked)) < 30


def test_a_stuck_rotation_is_found_though_no_version_can_be_listed(aws, secret, audit, refuse, monkeypatch):
    put = []
    aws.answer("PutEvents", lambda asked: put.extend(asked["Entries"]) or {"FailedEntryCount": 0, "Entries": []})
    made = secret("orders", MANAGED)
    monkeypatch.setenv("STUCK_HOURS", "2")
    refuse("AccessDeniedException")
    aws.client("secretsmanager").put_secret_value(
        SecretId=made["ARN"], SecretString="next", VersionStages=["AWSPENDING"]
    )
    audit()
    [row] = aws.rows("status")
    assert row["verdict"] == "unknown"
    # The audit lets an hour pass after each run; here it is three since it saw the rotation first.
    aws.put("status", {**row, "pending_since": "2026-01-01T00:00:00Z"})

    found = audit()

    assert [one["kind"] for one in found["findings"]] == ["stuck_without_incident"]
    assert len(put) == 1
    [row] = aws.rows("status")
    assert (row["verdict"], row["status"], row["attention"]) == ("rotation_failing", "unknown", "yes")


@pytest.mark.parametrize(
    "trouble",
    [
        EndpointConnectionError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com"),
        ReadTimeoutError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com"),
        ConnectTimeoutError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com"),
    ],
)
def test_a_run_does_not_fail_for_want_of_a_way_to_cloudwatch(aws, secret, audit, trouble):
    secret("orders", MANAGED)

    def unreachable(_):
        raise trouble

    aws.answer("GetMetricStatistics", unreachable)

    found = audit()

    assert (found["complete"], found["checked"], "counted" in found) == (True, 1, False)
