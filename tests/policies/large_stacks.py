"""Stacks of any size, of independent resources and of resources that share a function, a queue and a role."""

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
    make,
    make_alarm_on,
    mapping,
    metric_alarm,
    permission,
    policy,
    program,
    queue,
    queue_policy,
    role,
    role_policy,
    subscription,
    topic,
)

bucket = make("aws:s3/bucket:Bucket")
http_api = make("aws:apigatewayv2/api:Api")
notification = make("aws:s3/bucketNotification:BucketNotification")
pipe = make("aws:pipes/pipe:Pipe")
route = make("aws:apigatewayv2/route:Route")

_TRUST = policy({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})


def build_pipelines(size: int) -> Program:
    """Independent queues with dead-letter queues, readers and targets, six resources each."""
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
    """Rules, targets, permissions and functions, six resources each, with one function, queue and role."""
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


def build_deliveries(size: int) -> Program:
    """Topics, alarms, buckets, pipes and routes, eleven resources each, that deliver to one function and queue."""
    jobs = queue("jobs", messageRetentionSeconds=604_800, redrivePolicy=json_of(deadLetterTargetArn="x"))
    own = role("own", assumeRolePolicy=_TRUST)
    handler = function("handler", timeout=5, role=own.arn)
    api = http_api("api", protocolType="HTTP")
    made: list[Any] = [jobs, own, handler, api]
    admits: list[Any] = []
    for index in range(size):
        news, uploads = topic(f"news-{index}"), bucket(f"uploads-{index}")
        alarm = metric_alarm(f"alarm-{index}", alarmActions=[handler.arn])
        reads = {"Effect": "Allow", "Action": "sqs:*", "Resource": jobs.arn}
        for service, source in (("sns", news), ("s3", uploads)):
            principal = {"Service": f"{service}.amazonaws.com"}
            held = {"ArnEquals": {"aws:SourceArn": source.arn}}
            admits.append(allow(principal, "sqs:SendMessage", jobs.arn, held))
        made += [
            news,
            alarm,
            uploads,
            subscription(f"jobs-{index}", topic=news.arn, protocol="sqs", endpoint=jobs.arn),
            subscription(f"calls-{index}", topic=news.arn, protocol="lambda", endpoint=handler.arn),
            notification(f"told-{index}", bucket=uploads.id, queues=[{"queueArn": jobs.arn}]),
            pipe(f"pipe-{index}", source=jobs.arn, target=handler.arn, roleArn=own.arn),
            role_policy(f"reads-{index}", role=own.name, policy=policy(reads)),
            route(f"route-{index}", apiId=api.id, routeKey=f"GET /{index}", authorizationType="AWS_IAM"),
        ]
        for service, source in (("sns", news), ("lambda.alarms.cloudwatch", alarm)):
            made.append(
                permission(
                    f"{service}-{index}",
                    function=handler.name,
                    action="lambda:InvokeFunction",
                    principal=f"{service}.amazonaws.com",
                    sourceArn=source.arn,
                )
            )
    return program(*made, queue_policy("admits", queueUrl=jobs.url, policy=policy(*admits)))


def write_shapes(stack: Program) -> dict[str, bytes]:
    """The output of `pulumi stack export` and `pulumi preview --json`."""
    return {"export": json.dumps(stack.exported()).encode(), "preview": json.dumps(stack.previewed()).encode()}
