"""What one stack takes of the quotas that everything in an account shares."""

from collections.abc import Iterator

from local.mocks.recording import Recording

HEADS = ("quota", "per stack", "default", "source")
QUOTAS: tuple[tuple[str, str, str, str], ...] = (
    (
        "roles per account",
        "aws:iam/role:Role",
        "1 000",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html",
    ),
    (
        "rules per event bus",
        "aws:cloudwatch/eventRule:EventRule",
        "300, in some Regions 100",
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html",
    ),
    (
        "tables",
        "aws:dynamodb/table:Table",
        "2 500",
        "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html",
    ),
    (
        "trails, with `createTrail`",
        "",
        "5",
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html",
    ),
)
"""Each with the resource type that counts, or nothing for one, its default, and where AWS says so."""


def list_quotas(stack: Recording) -> Iterator[tuple[str, ...]]:
    """The rows of the table, by what this stack has."""
    for name, type_, default, source in QUOTAS:
        count = len(stack.of_type(type_)) if type_ else 1
        yield name, str(count), default, f"[AWS]({source})"
