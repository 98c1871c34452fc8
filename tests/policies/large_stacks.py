"""Stacks of any size: of resources that have nothing in common, and of resources that share what can be shared."""

import json
from typing import Any

from tests.policies.programs import (
    Program,
    allow,
    event_rule,
    event_target,
    function,
    invoke_config,
    json_of,
    make_alarm_on,
    mapping,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
)

_TRUST = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})


def build_pipelines(size: int) -> Program:
    """As many queues with dead letters, readers and targets, six resources each, that have nothing in common."""
    made: list[Any] = []
    for index in range(size):
        letters = queue(f"dead-{index}", messageRetentionSeconds=1_209_600)
        jobs = queue(
            f"jobs-{index}",
            messageRetentionSeconds=604_800,
            visibilityTimeoutSeconds=180,
            redrivePolicy=json_of(deadLetterTargetArn=letters.arn, maxReceiveCount=5),
        )
        reader = function(f"reader-{index}", timeout=30)
        made += [
            letters,
            make_alarm_on(letters),
            jobs,
            reader,
            mapping(f"reads-{index}", eventSourceArn=jobs.arn, functionName=reader.arn),
        ]
        made += [event_target(f"target-{index}", arn=jobs.arn, deadLetterConfig={"arn": letters.arn})]
    return program(*made)


def build_sharing(size: int) -> Program:
    """As many rules, targets, permissions and functions, six resources each, with one function, queue and role."""
    letters = queue("dead", messageRetentionSeconds=1_209_600)
    shared = role("shared", assumeRolePolicy=_TRUST)
    reader = function("reader", timeout=30, role=shared.arn)
    rules = [event_rule(f"rule-{index}", eventPattern=json_of(source=["shop"])) for index in range(size)]
    admits = [
        allow(
            {"Service": "events.amazonaws.com"},
            "sqs:SendMessage",
            letters.arn,
            {"ArnEquals": {"aws:SourceArn": rule.arn}},
        )
        for rule in rules
    ]
    made = [letters, shared, reader, *rules, queue_policy("admits", queueUrl=letters.url, policy=policy(*admits))]
    for index, rule in enumerate(rules):
        made.append(event_target(f"to-{index}", rule=rule.name, arn=reader.arn, deadLetterConfig={"arn": letters.arn}))
        made.append(
            permission(
                f"may-{index}",
                function=reader.name,
                action="lambda:InvokeFunction",
                principal="events.amazonaws.com",
                sourceArn=rule.arn,
            )
        )
        fails = function(f"fails-{index}", timeout=30, role=shared.arn)
        sends = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": letters.arn}
        made += [
            fails,
            invoke_config(
                f"keeps-{index}", functionName=fails.name, destinationConfig={"onFailure": {"destination": letters.arn}}
            ),
            role_policy(f"sends-{index}", role=shared.name, policy=policy(sends)),
        ]
    return program(*made)


def write_shapes(stack: Program) -> dict[str, bytes]:
    """What `pulumi stack export` and `pulumi preview --json` write of it, by the name of the shape."""
    return {"export": json.dumps(stack.exported()).encode(), "preview": json.dumps(stack.previewed()).encode()}
