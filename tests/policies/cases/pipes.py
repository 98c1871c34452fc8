"""Cases of the rules about pipes and their roles."""

from typing import Any

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    UNKNOWN,
    Case,
    Made,
    function,
    key,
    make,
    permission,
    policy,
    program,
    queue,
    role,
    role_policy,
    state_machine,
    topic,
)

WORKS, KEEPS, ANSWERS = "pipe-role-may-do-its-work", "pipe-dead-letters-are-reachable", "pipe-enrichment-answers"
TABLE_STREAM = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000"

pipe = make("aws:pipes/pipe:Pipe")
bus = make("aws:cloudwatch/eventBus:EventBus")

orders = queue("orders")
failed = queue("failed")
looks = function("looks")
target = state_machine("target")
own = role(
    "own",
    assumeRolePolicy=policy(
        {"Effect": "Allow", "Principal": {"Service": "pipes.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ),
)
READS = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def pipe_with(**more: Any) -> Made:
    """A pipe from the queue to the state machine."""
    return pipe("pipe", **{"source": orders.arn, "target": target.arn, "roleArn": own.arn, **more})


def role_policy_of(*granted: tuple[Any, Any]) -> Made:
    """A policy of the role."""
    statements = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in granted]
    return role_policy("may", role=own.id, policy=policy(*statements))


def keeps(to: Any) -> dict[str, Any]:
    """The parameters of a stream with a dead-letter queue."""
    return {"source": TABLE_STREAM, "sourceParameters": {"dynamodbStreamParameters": {"deadLetterConfig": {"arn": to}}}}


STARTS = ("states:StartExecution", target.arn)

CASES = [
    # --- pipe-role-may-do-its-work
    Case(
        WORKS,
        "typical",
        "a role without permissions",
        program(orders, target, own, pipe_with()),
        {"pipe": ("lacks", "missing permissions to a policy of the role")},
    ),
    Case(
        WORKS,
        "variant",
        "it may not delete what it has read",
        program(
            orders, target, own, pipe_with(), role_policy_of((READS[0], orders.arn), (READS[2], orders.arn), STARTS)
        ),
        {"pipe": "cannot read orders (source): its role own lacks sqs:DeleteMessage"},
        silent_at_preview=True,
    ),
    Case(
        WORKS,
        "variant",
        "it may start another state machine",
        program(
            orders, target, own, pipe_with(), role_policy_of((READS, orders.arn), (STARTS[0], "arn:aws:states:::x"))
        ),
        {"pipe": "cannot write to target (target): its role own lacks states:StartExecution or states:StartSync"},
        silent_at_preview=True,
    ),
    Case(
        WORKS,
        "variant",
        "it may not call what enriches",
        program(
            orders, target, looks, own, pipe_with(enrichment=looks.arn), role_policy_of((READS, orders.arn), STARTS)
        ),
        {"pipe": "cannot call"},
        silent_at_preview=True,
    ),
    Case(
        WORKS,
        "variant",
        "it may not read the stream of a table elsewhere",
        program(target, own, pipe_with(source=TABLE_STREAM), role_policy_of(STARTS, ("dynamodb:GetItem", "*"))),
        {"pipe": "dynamodb:GetRecords and dynamodb:GetShardIterator"},
        silent_at_preview=True,
    ),
    Case(
        WORKS,
        "variant",
        "it may not use the key of the queue",
        program(
            key("own-key"),
            queue("orders", kmsMasterKeyId=key("own-key").arn),
            target,
            own,
            pipe_with(source=queue("orders", kmsMasterKeyId=key("own-key").arn).arn),
            role_policy_of((READS, "*"), STARTS),
        ),
        {"pipe": "kms:Decrypt on the key own-key"},
        silent_at_preview=True,
    ),
    Case(
        WORKS,
        "variant",
        "a role for rules",
        program(
            orders,
            target,
            role(
                "own",
                assumeRolePolicy=policy(
                    {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ),
            ),
            pipe_with(roleArn=role("own").arn),
            role_policy("may", role=role("own").id, policy=policy({"Effect": "Allow", "Action": "*", "Resource": "*"})),
        ),
        {"pipe": "cannot start: the trust policy"},
    ),
    Case(
        WORKS,
        "compliant",
        "a role with all permissions",
        program(orders, target, own, pipe_with(), role_policy_of((READS, orders.arn), STARTS)),
    ),
    Case(
        WORKS,
        "compliant",
        "to a bus, enriched",
        program(
            orders,
            looks,
            bus("bus"),
            own,
            pipe_with(target=bus("bus").arn, enrichment=looks.arn),
            role_policy_of(
                (READS, orders.arn), ("lambda:InvokeFunction", looks.arn), ("events:PutEvents", bus("bus").arn)
            ),
        ),
    ),
    Case(
        WORKS,
        "near miss",
        "a grant of the key",
        program(
            key("own-key"),
            queue("orders", kmsMasterKeyId=key("own-key").arn),
            target,
            own,
            pipe_with(source=queue("orders", kmsMasterKeyId=key("own-key").arn).arn),
            role_policy_of((READS, "*"), STARTS),
            make("aws:kms/grant:Grant")(
                "g", keyId=key("own-key").keyId, granteePrincipal=own.arn, operations=["Decrypt"]
            ),
        ),
    ),
    Case(
        WORKS,
        "near miss",
        "a permission of the function",
        program(
            orders,
            looks,
            own,
            pipe_with(target=looks.arn),
            role_policy_of((READS, orders.arn)),
            permission("p", function=looks.name, action="lambda:InvokeFunction", principal=own.arn),
        ),
    ),
    Case(
        WORKS,
        "unknown",
        "what it may",
        program(orders, target, own, pipe_with(), role_policy("may", role=own.id, policy=UNKNOWN)),
    ),
    Case(WORKS, "unknown", "the role", program(orders, target, own, pipe_with(roleArn=UNKNOWN))),
    Case(
        WORKS,
        "near miss",
        "a role elsewhere",
        program(orders, target, pipe_with(roleArn=f"arn:aws:iam::{ACCOUNT}:role/theirs")),
    ),
    Case(
        WORKS,
        "variant",
        "a target elsewhere",
        program(
            orders,
            own,
            pipe_with(target=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:theirs"),
            role_policy_of((READS, orders.arn)),
        ),
        {"pipe": ("theirs", "lacks states:StartExecution")},
        silent_at_preview=True,
    ),
    # --- pipe-dead-letters-are-reachable
    Case(
        KEEPS,
        "typical",
        "a role without permission to send",
        program(failed, own, pipe_with(**keeps(failed.arn)), role_policy_of(("sqs:SendMessage", "arn:aws:sqs:::x"))),
        {"pipe": ("failed", "lacks sqs:SendMessage on failed")},
        silent_at_preview=True,
    ),
    Case(
        KEEPS,
        "variant",
        "it may not publish",
        program(topic("lost"), own, pipe_with(**keeps(topic("lost").arn))),
        {"pipe": "sns:Publish on lost"},
    ),
    Case(
        KEEPS,
        "compliant",
        "a role with permission to send",
        program(failed, own, pipe_with(**keeps(failed.arn)), role_policy_of(("sqs:SendMessage", failed.arn))),
    ),
    Case(KEEPS, "unknown", "the queue", program(failed, own, pipe_with(**keeps(UNKNOWN)))),
    Case(
        KEEPS,
        "variant",
        "a queue elsewhere",
        program(own, pipe_with(**keeps(f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs"))),
        {"pipe": "lacks sqs:SendMessage"},
    ),
    Case(
        KEEPS,
        "near miss",
        "a queue elsewhere that it may send to",
        program(
            own,
            pipe_with(**keeps(f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs")),
            role_policy_of(("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:theirs")),
        ),
    ),
    # --- pipe-enrichment-answers
    Case(
        ANSWERS,
        "typical",
        "a standard workflow",
        program(orders, target, pipe_with(enrichment=target.arn)),
        {"pipe": ("type of the state machine is absent", "EXPRESS")},
    ),
    Case(
        ANSWERS,
        "variant",
        "by name",
        program(
            orders, state_machine("m", type="STANDARD"), pipe_with(enrichment=state_machine("m", type="STANDARD").arn)
        ),
        {"pipe": "type of the state machine is STANDARD"},
    ),
    Case(
        ANSWERS,
        "compliant",
        "an Express workflow",
        program(
            orders, state_machine("m", type="EXPRESS"), pipe_with(enrichment=state_machine("m", type="EXPRESS").arn)
        ),
    ),
    Case(ANSWERS, "unknown", "what enriches", program(orders, target, pipe_with(enrichment=UNKNOWN))),
    Case(ANSWERS, "near miss", "a function", program(orders, looks, pipe_with(enrichment=looks.arn))),
    Case(ANSWERS, "near miss", "a standard workflow as the target", program(orders, target, pipe_with())),
]
