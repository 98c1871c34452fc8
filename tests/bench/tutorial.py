"""A reimplementation of a tutorial's audit, as the baseline of the product's."""

import itertools
from datetime import UTC, datetime
from typing import Any

KEY, VALUE, LIMIT_DAYS = "Managed", "true", 30
TABLE = "tutorial"


def create_table(dynamodb: Any) -> None:
    """Create the tutorial's table: a row per secret and run."""
    keys = {"secret_name": "HASH", "run_id": "RANGE"}
    dynamodb.create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        BillingMode="PAY_PER_REQUEST",
    )


def audit(secretsmanager: Any, dynamodb: Any, pages: int | None = None) -> dict[str, int]:
    """Audit page by page and secret by secret: the last change is its age, and each row is written at once.

    Audits this many pages, or all. It is sequential, so a part of the pages takes that part of the time.
    """
    now = datetime.now(UTC)
    checked = flagged = 0
    listing = secretsmanager.get_paginator("list_secrets")
    for page in itertools.islice(listing.paginate(Filters=[{"Key": "tag-key", "Values": [KEY]}]), pages):
        for secret in page["SecretList"]:
            if {"Key": KEY, "Value": VALUE} not in secret["Tags"]:
                continue
            age_days = (now - secret.get("LastChangedDate", secret["CreatedDate"])).days
            overdue = age_days > LIMIT_DAYS
            dynamodb.put_item(
                TableName=TABLE,
                Item={
                    "secret_name": {"S": secret["Name"]},
                    "run_id": {"S": now.isoformat()},
                    "secret_arn": {"S": secret["ARN"]},
                    "status": {"S": "needs_rotation" if overdue else "ok"},
                    "age_days": {"N": str(age_days)},
                    "checked_at": {"S": now.isoformat()},
                },
            )
            checked += 1
            flagged += overdue
    return {"checked": checked, "flagged": flagged}
