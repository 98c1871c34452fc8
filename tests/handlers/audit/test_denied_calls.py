"""A run is incomplete if AWS refuses or does not answer its calls, but not if a single secret denies access.

The tests decide what is readable; they do not rely on the counts of the run.
"""

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

MANAGED = {"Managed": "true"}
URL = "https://secretsmanager.eu-west-1.amazonaws.com"
ERRORS = {
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
    """Makes AWS refuse the versions of these secrets, or of all, from now on."""

    def refuse_versions(error, arns=None):
        def answer(request):
            if arns is not None and request["SecretId"] not in arns:
                return None
            if isinstance(error, Exception):
                raise error
            return aws.Refusal(error)

        aws.answer("ListSecretVersionIds", answer)

    return refuse_versions


@pytest.fixture
def six_secrets(create_secret):
    """Six audited secrets."""
    return [create_secret(f"orders-{number}", MANAGED)["ARN"] for number in range(6)]


def change(aws, arn):
    aws.client("secretsmanager").put_secret_value(SecretId=arn, SecretString="next")


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_first_run_that_could_read_nothing_is_incomplete(six_secrets, audit, refuse, error):
    refuse(error)

    for _ in range(3):  # it does not get used to it
        run = audit()
        assert (run["checked"], run["unknown"], run["complete"]) == (6, 6, False)
        [reason] = run["incomplete_because"]
        assert "none of the 6 secrets" in reason


def test_refused_versions_of_the_only_secret_make_a_run_incomplete(create_secret, audit, refuse):
    create_secret("orders", MANAGED)
    refuse("AccessDeniedException")

    assert audit()["complete"] is False


def test_a_secret_whose_own_policy_denies_access_is_only_unknown(six_secrets, audit, refuse):
    refuse("AccessDeniedException", six_secrets[:1])

    for _ in range(4):
        run = audit()
        assert (run["unknown"], run["complete"]) == (1, True)
        assert run["refused"] == {"access denied": 1}


def test_a_secret_that_starts_to_deny_access_is_only_unknown_if_all_others_are_cached(aws, six_secrets, audit, refuse):
    audit()
    change(aws, six_secrets[0])
    refuse("AccessDeniedException", six_secrets[:1])

    run = audit()

    assert (run["unknown"], run["complete"]) == (1, True)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_a_run_that_could_read_no_versions_is_incomplete_even_if_others_are_cached(
    aws, six_secrets, audit, refuse, error
):
    audit()
    change(aws, six_secrets[0])
    refuse(error)

    for _ in range(3):
        run = audit()
        assert (run["checked"], run["unknown"], run["complete"]) == (6, 1, False)
        # The one that moved, and another that was readable before.
        assert "none of the 2 secrets" in run["incomplete_because"][0]


def test_a_large_fraction_of_refusals_makes_a_run_incomplete(six_secrets, audit, refuse):
    refuse("AccessDeniedException", six_secrets[:2])

    assert audit()["incomplete_because"] == ["AWS did not list the versions of 2 of 6 secrets: access denied 2."]


def test_two_refusals_among_many_secrets_do_not_make_a_run_incomplete(create_secret, audit, refuse):
    arns = [create_secret(f"orders-{number}", MANAGED)["ARN"] for number in range(9)]
    refuse("AccessDeniedException", arns[:2])

    assert audit()["complete"] is True


@pytest.mark.parametrize("error", ["ThrottlingException", EndpointConnectionError(endpoint_url=URL)])
def test_several_throttled_or_unanswered_calls_make_a_run_incomplete(create_secret, audit, refuse, error):
    arns = [create_secret(f"orders-{number}", MANAGED)["ARN"] for number in range(9)]
    refuse(error, arns[:2])

    assert audit()["complete"] is False


def test_more_unknown_secrets_than_in_the_last_complete_run_make_a_run_incomplete(aws, create_secret, audit):
    for number in range(9):
        create_secret(f"orders-{number}", MANAGED)
    assert audit()["complete"] is True
    for number in range(2):
        aws.client("secretsmanager").create_secret(Name=f"empty-{number}", Tags=[{"Key": "Managed", "Value": "true"}])

    run = audit()

    assert run["incomplete_because"] == ["2 of 11 secrets are unknown; the last complete run had 0 unknown."]


def test_lasting_refusals_do_not_become_the_norm(aws, create_secret, audit, refuse):
    arns = [create_secret(f"orders-{number}", MANAGED)["ARN"] for number in range(16)]
    assert audit()["complete"] is True
    for arn in arns[:5]:
        change(aws, arn)
    refuse("AccessDeniedException", arns[:5])

    # More than the runs that are looked at in any case.
    runs = [audit() for _ in range(13)]

    assert [run["complete"] for run in runs] == [False] * 13
    assert runs[-1]["incomplete_because"] == ["5 of 16 secrets are unknown; the last complete run had 0 unknown."]
    aws.answer("ListSecretVersionIds", lambda _: None)
    assert "unknown_when_complete" not in audit()


def test_a_run_is_complete_again_once_aws_responds(aws, six_secrets, audit, refuse):
    refuse("AccessDeniedException")
    assert audit()["complete"] is False
    aws.answer("ListSecretVersionIds", lambda _: None)

    run = audit()

    assert (run["complete"], run["unknown"]) == (True, 0)
    assert "refused" not in run


def test_no_more_versions_are_requested_after_many_timeouts(aws, create_secret, audit, refuse):
    for number in range(60):
        create_secret(f"orders-{number:02}", MANAGED)
    requested_arns = []

    def time_out(parameters):
        requested_arns.append(parameters["SecretId"])
        raise ConnectTimeoutError(endpoint_url=URL)

    aws.answer("ListSecretVersionIds", time_out)

    run = audit()

    assert (run["checked"], run["unknown"], run["complete"]) == (60, 60, False)
    assert len(set(requested_arns)) < 30


def test_a_stuck_rotation_is_found_even_if_no_version_can_be_listed(aws, create_secret, audit, refuse, monkeypatch):
    sent_events = []
    aws.answer(
        "PutEvents", lambda request: sent_events.extend(request["Entries"]) or {"FailedEntryCount": 0, "Entries": []}
    )
    secret = create_secret("orders", MANAGED)
    monkeypatch.setenv("STUCK_HOURS", "2")
    refuse("AccessDeniedException")
    aws.client("secretsmanager").put_secret_value(
        SecretId=secret["ARN"], SecretString="next", VersionStages=["AWSPENDING"]
    )
    audit()
    [row] = aws.rows("status")
    assert row["verdict"] == "unknown"
    # The audit lets an hour pass after each run; here it is three since it saw the rotation first.
    aws.put("status", {**row, "pending_since": "2026-01-01T00:00:00Z"})

    run = audit()

    assert [finding["kind"] for finding in run["findings"]] == ["stuck_without_incident"]
    assert len(sent_events) == 1
    [row] = aws.rows("status")
    assert (row["verdict"], row["status"], row["attention"]) == ("rotation_failing", "unknown", "yes")


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com"),
        ReadTimeoutError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com"),
        ConnectTimeoutError(endpoint_url="https://monitoring.eu-west-1.amazonaws.com"),
    ],
)
def test_a_run_does_not_fail_if_cloudwatch_is_unreachable(aws, create_secret, audit, error):
    create_secret("orders", MANAGED)

    def unreachable(_):
        raise error

    aws.answer("GetMetricStatistics", unreachable)

    run = audit()

    assert (run["complete"], run["checked"], "counted" in run) == (True, 1, False)
