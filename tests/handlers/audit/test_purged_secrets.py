"""CloudWatch counts a deleted secret for hours, which is no gap in the list; a real gap is still reported."""

from datetime import UTC, datetime

import pytest

MANAGED = {"Managed": "true"}


@pytest.fixture(autouse=True)
def tables(aws):
    aws.create_tables("history", "status", "runs", "audit-trail", "incidents")


@pytest.fixture
def count(aws):
    """Lets CloudWatch count this many secrets from now on."""

    def secrets(number):
        point = {"Timestamp": datetime.now(UTC), "Minimum": float(number), "Unit": "Count"}
        aws.answer("GetMetricStatistics", lambda _: {"Label": "ResourceCount", "Datapoints": [point]})

    return secrets


@pytest.fixture
def purge(aws):
    def secrets(*targets):
        for secret in targets:
            aws.client("secretsmanager").delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)

    return secrets


def kinds(run):
    return sorted((finding["kind"], finding["secret_name"]) for finding in run["findings"])


def test_a_count_that_includes_deleted_secrets_does_not_make_a_run_incomplete(create_secret, audit, count, purge):
    secrets = [create_secret(f"orders-{number}", MANAGED) for number in range(5)]
    count(5)
    audit()
    purge(*secrets[:2])

    runs = [audit() for _ in range(3)]

    assert [(run["complete"], run["listed"], run["counted"]) for run in runs] == [(True, 3, 5)] * 3
    assert [run["shortfall"] for run in runs] == [2] * 3
    # Whether they are gone, or missing from the list, shows when the count has followed.
    assert [kinds(run) for run in runs] == [[]] * 3
    count(3)
    assert kinds(audit()) == [("vanished", "orders-0"), ("vanished", "orders-1")]
    assert kinds(audit()) == []


def test_a_count_that_never_decreases_makes_a_run_incomplete(create_secret, audit, count, purge):
    secrets = [create_secret(f"orders-{number}", MANAGED) for number in range(5)]
    count(5)
    audit()
    purge(*secrets[:2])

    runs = [audit() for _ in range(5)]

    assert [run["complete"] for run in runs] == [True, True, True, False, False]
    assert runs[3]["incomplete_because"] == ["CloudWatch counts 5 secrets in the account, but only 3 were listed."]
    assert [kinds(run) for run in runs] == [[]] * 5


def test_a_gap_that_no_deletion_explains_makes_a_run_incomplete_at_once(create_secret, audit, count, purge):
    secrets = [create_secret(f"orders-{number}", MANAGED) for number in range(5)]
    count(5)
    audit()
    count(7)
    assert audit()["complete"] is False

    purge(secrets[0])
    run = audit()

    assert run["incomplete_because"] == ["CloudWatch counts 7 secrets in the account, but only 4 were listed."]


def test_consecutive_deletions_each_have_their_grace_period(create_secret, audit, count, purge):
    secrets = [create_secret(f"orders-{number}", MANAGED) for number in range(9)]
    counts = [9]
    for deleted in secrets[:6]:
        count(counts[max(0, len(counts) - 3)])  # as of two hours ago
        assert audit()["complete"] is True, counts
        purge(deleted)
        counts.append(counts[-1] - 1)


def test_a_new_secret_does_not_replace_another_in_the_count(create_secret, audit, count):
    create_secret("orders-0", MANAGED)
    count(1)
    audit()
    create_secret("orders-1", MANAGED)

    assert audit()["complete"] is True
