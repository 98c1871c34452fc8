"""A stack of thousands is read and judged in seconds, also where all of them share a function, a queue and a role."""

import json
import time
from dataclasses import replace

from policies import state_files
from policies.evaluation import check
from tests.policies.programs import (
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

TRUST = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})


def _checked(content):
    data = json.dumps(content).encode()
    started = time.perf_counter()
    report = check(state_files.read(data).resources)
    return replace(report, seconds=time.perf_counter() - started)


def test_a_stack_of_thousands_is_fine():
    made = []
    for index in range(1000):
        letters = queue(f"dead-{index}", messageRetentionSeconds=1_209_600)
        jobs = queue(
            f"jobs-{index}",
            messageRetentionSeconds=604_800,
            visibilityTimeoutSeconds=180,
            redrivePolicy=json_of(deadLetterTargetArn=letters.arn, maxReceiveCount=5),
        )
        reader = function(f"reader-{index}", timeout=30)
        made += [letters, make_alarm_on(letters), jobs, reader]
        made += [mapping(f"reads-{index}", eventSourceArn=jobs.arn, functionName=reader.arn)]
        made += [event_target(f"target-{index}", arn=jobs.arn, deadLetterConfig={"arn": letters.arn})]
    for content in (program(*made).exported(), program(*made).previewed()):
        found = _checked(content)
        assert found.resources >= 5000
        # Others complain of what these readers and targets lack; there is nothing to say about the queues themselves.
        assert [one for one in found.complaints if ":sqs/" in str(one.urn)] == []
        assert found.seconds < 10


def test_thousands_that_share_a_function_a_queue_and_a_role_are_fine():
    letters = queue("dead", messageRetentionSeconds=1_209_600)
    shared = role("shared", assumeRolePolicy=TRUST)
    reader = function("reader", timeout=30, role=shared.arn)
    rules = [event_rule(f"rule-{index}", eventPattern=json_of(source=["shop"])) for index in range(1000)]
    made = [
        letters,
        shared,
        reader,
        *rules,
        queue_policy("admits", queueUrl=letters.url, policy=_for_each(letters, rules)),
    ]
    for index, one in enumerate(rules):
        made.append(event_target(f"to-{index}", rule=one.name, arn=reader.arn, deadLetterConfig={"arn": letters.arn}))
        made.append(
            permission(
                f"may-{index}",
                function=reader.name,
                action="lambda:InvokeFunction",
                principal="events.amazonaws.com",
                sourceArn=one.arn,
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
    for content in (program(*made).exported(), program(*made).previewed()):
        found = _checked(content)
        assert found.resources > 6000
        assert [one for one in found.complaints if "EventTarget" in str(one.urn) and one.severity != "low"] == []
        assert found.seconds < 10


def _for_each(letters, rules):
    return policy(
        *(
            allow(
                {"Service": "events.amazonaws.com"},
                "sqs:SendMessage",
                letters.arn,
                {"ArnEquals": {"aws:SourceArn": one.arn}},
            )
            for one in rules
        )
    )
