"""The audit trail of a stack in moto's AWS, with chains that a test writes and tampers with."""

from typing import Any

from tests.domain.evidence.chain import Chain, build

from .stacks import ARN, RemediationStack

LASTING = 100_000
"""Days that rows are kept: these tests must not fail on the day on which their rows expire."""


class Trail:
    """The table."""

    def __init__(self, dynamodb: Any) -> None:
        self.dynamodb = dynamodb
        self.chains: dict[str, Chain] = {}

    def record(self, name: str, count: int = 6, kept_days: int = LASTING) -> Chain:
        """Record so many events of a secret."""
        self.chains[name] = build(count, kept_days, f"{ARN}:{name}-AbCdEf")
        self.write()
        return self.chains[name]

    def write(self) -> None:
        """Make the table what the chains are."""
        for item in self.dynamodb.scan(TableName="audit-trail")["Items"]:
            key = {name: item[name] for name in ("secret_arn", "recorded")}
            self.dynamodb.delete_item(TableName="audit-trail", Key=key)
        for chain in self.chains.values():
            for key, row in chain.rows.items():
                own_key = {"secret_arn": {"S": chain.arn}, "recorded": {"S": key}}
                self.dynamodb.put_item(TableName="audit-trail", Item={**row, **own_key})
            if chain.head:
                self.dynamodb.put_item(TableName="audit-trail", Item=chain.head)


def create_trail(stack: RemediationStack, dynamodb: Any) -> Trail:
    """The trail of this stack, which is empty."""
    dynamodb.create_table(
        TableName="audit-trail",
        KeySchema=[
            {"AttributeName": "secret_arn", "KeyType": "HASH"},
            {"AttributeName": "recorded", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("secret_arn", "recorded")],
        BillingMode="PAY_PER_REQUEST",
    )
    stack.add_outputs({"audit_trail_table_name": "audit-trail"})
    return Trail(dynamodb)
