"""What the roles of hub and members may do, and who may put events on the hub's bus: pure functions."""

from collections.abc import Sequence

from rotation_guard.domain.organization.deliveries import REDELIVERED

from ..iam_policies import Statement, allow, document

PUT_EVENTS = "events:PutEvents"


def admitted_to_bus(bus_arn: str, organization_id: str | None, accounts: Sequence[str]) -> str:
    """Accounts of the organisation, and these, may put events on the bus, and do nothing else with it.

    A member's rule puts them as its own role, which is in the organisation
    (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus-perms.html). EventBridge names the sender's
    account in each event, so that nobody can send one in another's name.
    """
    statements: list[Statement] = []
    if organization_id:
        statements.append(
            {
                "Sid": "Organization",
                "Effect": "Allow",
                "Principal": "*",
                "Action": PUT_EVENTS,
                "Resource": bus_arn,
                "Condition": {"StringEquals": {"aws:PrincipalOrgID": organization_id}},
            }
        )
    if accounts:
        partition = bus_arn.split(":")[1]
        statements.append(
            {
                "Sid": "Members",
                "Effect": "Allow",
                "Principal": {"AWS": [f"arn:{partition}:iam::{account}:root" for account in accounts]},
                "Action": PUT_EVENTS,
                "Resource": bus_arn,
            }
        )
    return document(*statements)


def forward(bus_arn: str) -> list[Statement]:
    """Puts events on the hub's bus, and on no other."""
    return [allow(PUT_EVENTS, bus_arn)]


def redeliver(queue_arn: str, bus_arn: str) -> list[Statement]:
    """Takes events out of the dead-letter queue of the member's rules, and puts them, wrapped, on the hub's bus."""
    return [
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage"], queue_arn),
        # PutEvents always says its source; emulators do not know the key.
        allow(PUT_EVENTS, bus_arn, {"StringEqualsIfExists": {"events:source": REDELIVERED}}),
    ]


def record(incidents_arn: str, status_arn: str, runs_arn: str, topic_arns: Sequence[str]) -> list[Statement]:
    """Writes what members report into the hub's tables, reads the incident that it writes, and notifies."""
    return [
        allow(["dynamodb:GetItem", "dynamodb:UpdateItem"], incidents_arn),
        allow("dynamodb:PutItem", [status_arn, runs_arn]),
        allow("sns:Publish", list(topic_arns)),
    ]
