"""What is heard of rotations, and a secret's name."""

import pytest

from handlers.domain.rotation import Heard, name_of, tells_of_new_value

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:"


@pytest.mark.parametrize(
    ("secret_arn", "name"),
    [
        (f"{ARN}orders/db-Ab12Cd", "orders/db"),
        (f"{ARN}orders-db-Ab12Cd", "orders-db"),
        (f"{ARN}orders-secret-Ab12Cd", "orders-secret"),
        (f"{ARN}a:secret:b-Ab12Cd", "a:secret:b"),
        (f"{ARN}orders/db", "orders/db"),  # a partial ARN, which AWS accepts too
        (f"{ARN}orders-db", "orders-db"),
        ("arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:orders-Ab12Cd", "orders"),
        ("orders/db", "orders/db"),
    ],
)
def test_a_name_is_the_arn_without_what_secrets_manager_added(secret_arn, name):
    assert name_of(secret_arn) == name


@pytest.mark.parametrize(
    ("kind", "version", "is_failure", "is_new_value"),
    [
        ("RotationFailed", None, True, False),
        ("RotationAbandoned", None, True, False),
        ("TestRotationFailed", None, True, False),
        ("Rotation Stuck", None, True, False),
        ("RotationSucceeded", None, False, True),
        ("Secret Label Updated", "v2", False, True),
        ("Secret Label Updated", None, False, False),
        ("RotationStarted", None, False, False),
    ],
)
def test_a_kind_tells_of_a_failure_or_of_a_new_value(kind, version, is_failure, is_new_value):
    heard = Heard(kind, "aws.secretsmanager", "event-1", "2026-03-01T00:50:20Z", current_version_id=version)

    assert (heard.is_failure, tells_of_new_value(heard)) == (is_failure, is_new_value)
