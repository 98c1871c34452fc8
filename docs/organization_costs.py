"""What a hub and its members cost a month, and what its audit status would cost if it were read instead of pushed."""

import math
from collections.abc import Iterator

from docs.costs import (
    ALARM,
    ATTENTION,
    CHANGES_A_MONTH,
    COMPOSITE_ALARM,
    DAYS,
    EVENTS_A_ROTATION,
    HOURS,
    LAMBDA_GIGABYTE_SECOND,
    READ_BYTES,
    READ_UNIT,
    WRITE_BYTES,
    WRITE_UNIT,
    item_bytes,
    status_rows,
)
from handlers.adapters.items import to_item
from local.mocks.recording import Recording
from rotation_guard.domain.audit.status_events import STATUS_CHANGED, build_status_detail
from rotation_guard.domain.organization.deliveries import Delivery
from rotation_guard.domain.organization.statuses import build_status_row

# List prices of us-east-1 in US dollars, in November 2026, without what is free.
EVENT = 1.00 / 1_000_000
"""A custom event of up to 64 KB; delivery to the bus of another account costs its sender the same again
(https://aws.amazon.com/eventbridge/pricing/,
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-account.html)."""
QUEUE_REQUEST = 0.40 / 1_000_000
"""https://aws.amazon.com/sqs/pricing/."""
INVOCATION = 0.20 / 1_000_000
"""https://aws.amazon.com/lambda/pricing/."""

# What is taken as given.
SECRETS = 1_000
REQUESTS_A_MESSAGE = 3
"""It is sent, received and deleted; mostly in batches, so that this is the most."""
INVOCATION_SECONDS, GIGABYTES = 0.3, 0.25

HEADS = ("audit status of 1 000 secrets", "the member pays", "the hub pays", "together")
FIXED_HEADS = ("fixed", "about, per month")


def list_status_costs() -> Iterator[tuple[str, ...]]:
    """The table of both ways: the status of SECRETS secrets, of an audit every hour."""
    pushed = SECRETS * (DAYS + CHANGES_A_MONTH) + HOURS
    invocation = INVOCATION + INVOCATION_SECONDS * GIGABYTES * LAMBDA_GIGABYTE_SECOND
    own, hub = status_rows()[-1], _build_hub_row()
    # Each write of a row is one of the index by account, too, and of the one of attention where the secret needs it.
    units = math.ceil(hub / WRITE_BYTES) * (2 + ATTENTION)
    yield _write(
        "pushed: changes at once, all of them once a day",
        2 * pushed * EVENT,
        pushed * (REQUESTS_A_MESSAGE * QUEUE_REQUEST + invocation + units * WRITE_UNIT),
    )
    reads = SECRETS * HOURS * 0.5 * item_bytes(to_item(own)) / READ_BYTES
    yield _write(
        "read by a role: the whole table, every hour",
        reads * READ_UNIT,
        HOURS * invocation + SECRETS * (DAYS + CHANGES_A_MONTH) * units * WRITE_UNIT,
    )


def list_fixed_costs(recording: Recording) -> Iterator[tuple[str, str]]:
    """What a hub and a member cost without a single event."""
    for component in ("hub", "member"):
        counts = [
            sum(resource.name.startswith(f"rotation-{component}-") for resource in recording.of_type(type_))
            for type_ in (
                "aws:cloudwatch/metricAlarm:MetricAlarm",
                "aws:cloudwatch/compositeAlarm:CompositeAlarm",
            )
        ]
        yield (
            f"a {component}: {counts[0]} alarms at ${ALARM:.2f}, {counts[1]} on alarms at ${COMPOSITE_ALARM:.2f}",
            f"${counts[0] * ALARM + counts[1] * COMPOSITE_ALARM:.2f}",
        )
    yield "the hub's two queues: what Lambda polls them for", "$0 to $1.00"
    rotations = 1_000
    yield (
        f"{rotations:,} rotations of some {EVENTS_A_ROTATION} events, forwarded".replace(",", " ", 1),
        f"${rotations * EVENTS_A_ROTATION * EVENT:.3f}",
    )


def _build_hub_row() -> int:
    """The bytes of the hub's row about the secret that the other costs are about."""
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team-0/service-00000/database-Ab12Cd"
    detail = build_status_detail({**status_rows()[-1], "secret_arn": arn})
    delivery = Delivery("111122223333", {"detail-type": STATUS_CHANGED, "detail": detail})
    return item_bytes(to_item(build_status_row(delivery)))


def _write(name: str, member: float, hub: float) -> tuple[str, ...]:
    return (name, f"${member:.3f}", f"${hub:.3f}", f"**${member + hub:.2f}**")
