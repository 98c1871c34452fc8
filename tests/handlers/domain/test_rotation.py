"""A secret's name and labels."""

import pytest

from handlers.domain.rotation import SecretState, name_of

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


def test_a_label_leads_to_its_version():
    secret = SecretState("orders/db", {"v1": ("AWSPREVIOUS",), "v2": ("AWSCURRENT", "AWSPENDING"), "v3": ()})

    assert secret.version_with("AWSCURRENT") == "v2"
    assert secret.version_with("AWSPENDING") == "v2"
    assert secret.version_with("blue") is None
