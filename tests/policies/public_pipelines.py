"""Public programs that pass messages, events and records on."""

from tests.policies.programs import (
    ACCOUNT,
    REGION,
    Made,
    allow,
    event_rule,
    event_target,
    invoke_config,
    json_of,
    mapping,
    permission,
    policy,
    role,
    role_policy,
    schedule,
    subscription,
    topic,
    topic_policy,
)
from tests.policies.public_parts import (
    HERE,
    allow_senders,
    bucket,
    event_bus,
    event_bus_policy,
    grant,
    grant_receiving,
    make_dead_letters,
    make_flow,
    make_mapping,
    make_table,
    make_work_queue,
    make_worker,
    notification,
    pipe,
    schedule_group,
    stream,
    trust_service,
)


def thumbnails() -> tuple[Made, ...]:
    """Uploads go from a bucket by a topic and a queue to a function that makes thumbnails."""
    uploads, thumbs = bucket("uploads", bucket="acme-uploads"), bucket("thumbs", bucket="acme-thumbs")
    news = topic("uploaded", name="uploaded")
    letters, alarm = make_dead_letters("thumbnail-dead-letters")
    undelivered, second_alarm = make_dead_letters("uploaded-dead-letters")
    work = make_work_queue("thumbnail-work", letters)
    maker = make_worker(
        "thumbnail-maker",
        grant_receiving(work),
        grant("s3:GetObject", "arn:aws:s3:::acme-uploads/*"),
        grant("s3:PutObject", "arn:aws:s3:::acme-thumbs/*"),
    )
    held = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::acme-uploads"}, **HERE}
    return (
        uploads,
        thumbs,
        news,
        topic_policy(
            "uploaded",
            arn=news.arn,
            policy=policy(allow({"Service": "s3.amazonaws.com"}, "sns:Publish", news.arn, held)),
        ),
        notification(
            "uploads", bucket=uploads.bucket, topics=[{"topicArn": news.arn, "events": ["s3:ObjectCreated:*"]}]
        ),
        letters,
        alarm,
        undelivered,
        second_alarm,
        allow_senders("undelivered", undelivered, ("sns.amazonaws.com", news.arn)),
        work,
        allow_senders("thumbnail-work", work, ("sns.amazonaws.com", news.arn)),
        subscription(
            "thumbnail-work",
            topic=news.arn,
            protocol="sqs",
            endpoint=work.arn,
            redrivePolicy=json_of(deadLetterTargetArn=undelivered.arn),
        ),
        *maker,
        make_mapping(work, maker[0]),
    )


def nightly_report() -> tuple[Made, ...]:
    """A schedule starts a function every night, which writes a report into a bucket."""
    letters, alarm = make_dead_letters("report-dead-letters")
    failed, second_alarm = make_dead_letters("report-failed")
    reporter = make_worker(
        "reporter",
        grant("s3:PutObject", "arn:aws:s3:::acme-reports/*"),
        grant("dynamodb:Query", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/sales"),
        grant("sqs:SendMessage", failed.arn),
    )
    group = schedule_group("reports", name="reports")
    held = {"StringEquals": {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": group.arn}}
    starter = role(
        "report-starter", name="report-starter", assumeRolePolicy=trust_service("scheduler.amazonaws.com", held)
    )
    return (
        letters,
        alarm,
        failed,
        second_alarm,
        bucket("reports", bucket="acme-reports"),
        *reporter,
        invoke_config(
            "reporter",
            functionName=reporter[0].name,
            destinationConfig={"onFailure": {"destination": failed.arn}},
        ),
        group,
        starter,
        role_policy(
            "report-starter",
            role=starter.name,
            policy=policy(grant("lambda:InvokeFunction", reporter[0].arn), grant("sqs:SendMessage", letters.arn)),
        ),
        schedule(
            "report",
            name="report",
            groupName=group.name,
            scheduleExpression="cron(0 3 * * ? *)",
            flexibleTimeWindow={"mode": "OFF"},
            target={
                "arn": reporter[0].arn,
                "roleArn": starter.arn,
                "deadLetterConfig": {"arn": letters.arn},
                "retryPolicy": {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 5},
            },
        ),
    )


def event_fan_out() -> tuple[Made, ...]:
    """Events of the organization's accounts go from one bus to a queue, a function and a topic."""
    bus = event_bus("shop", name="shop")
    paid = event_rule("paid", name="paid", eventBusName=bus.name, eventPattern=json_of(source=["shop.orders"]))
    letters, alarm = make_dead_letters("paid-dead-letters")
    failed, second_alarm = make_dead_letters("invoice-failed")
    shipping, news = make_work_queue("shipping", letters), topic("paid", name="paid")
    invoicing = make_worker("invoicing", grant("sqs:SendMessage", failed.arn))
    organization = {"StringEquals": {"aws:PrincipalOrgID": "o-acme123456"}}
    retry = {"maximumEventAgeInSeconds": 3600, "maximumRetryAttempts": 10}
    return (
        bus,
        event_bus_policy(
            "shop", eventBusName=bus.name, policy=policy(allow("*", "events:PutEvents", bus.arn, organization))
        ),
        paid,
        letters,
        alarm,
        failed,
        second_alarm,
        shipping,
        news,
        *invoicing,
        invoke_config(
            "invoicing", functionName=invoicing[0].name, destinationConfig={"onFailure": {"destination": failed.arn}}
        ),
        allow_senders("paid-dead-letters", letters, ("events.amazonaws.com", paid.arn)),
        allow_senders("shipping", shipping, ("events.amazonaws.com", paid.arn)),
        permission(
            "invoicing",
            function=invoicing[0].name,
            action="lambda:InvokeFunction",
            principal="events.amazonaws.com",
            sourceArn=paid.arn,
        ),
        topic_policy(
            "paid", arn=news.arn, policy=policy(allow({"Service": "events.amazonaws.com"}, "sns:Publish", news.arn))
        ),
        *(
            event_target(
                f"paid-{what}",
                rule=paid.name,
                eventBusName=bus.name,
                arn=target,
                deadLetterConfig={"arn": letters.arn},
                retryPolicy=retry,
            )
            for what, target in (("shipping", shipping.arn), ("invoicing", invoicing[0].arn), ("news", news.arn))
        ),
    )


def order_flow() -> tuple[Made, ...]:
    """A state machine reserves, charges and ships an order."""
    orders = make_table("order-states")
    letters, alarm = make_dead_letters("shipment-dead-letters")
    shipments = make_work_queue("shipments", letters)
    reserving, charging = make_worker("reserving"), make_worker("charging")
    states = {
        "Reserve": {"Type": "Task", "Resource": reserving[0].arn, "Next": "Charge"},
        "Charge": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": charging[0].arn, "Payload.$": "$"},
            "Next": "Remember",
        },
        "Remember": {
            "Type": "Task",
            "Resource": "arn:aws:states:::dynamodb:putItem",
            "Parameters": {"TableName": orders.name, "Item": {"id": {"S.$": "$.id"}}},
            "Next": "Ship",
        },
        "Ship": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": shipments.url, "MessageBody.$": "$"},
            "End": True,
        },
    }
    rights = (
        grant("lambda:InvokeFunction", reserving[0].arn, charging[0].arn),
        grant("dynamodb:PutItem", orders.arn),
        grant("sqs:SendMessage", shipments.arn),
    )
    return (orders, letters, alarm, shipments, *reserving, *charging, *make_flow("order", states, *rights))


def click_stream() -> tuple[Made, ...]:
    """A function reads clicks from Kinesis, and what it fails at goes into a queue."""
    clicks = stream("clicks", name="clicks", shardCount=2)
    failed, alarm = make_dead_letters("clicks-failed")
    counts = make_table("click-counts")
    reading = ["kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:DescribeStream", "kinesis:ListShards"]
    counting = make_worker(
        "counting",
        grant(reading, clicks.arn),
        grant("dynamodb:UpdateItem", counts.arn),
        grant("sqs:SendMessage", failed.arn),
    )
    return (
        clicks,
        failed,
        alarm,
        counts,
        *counting,
        mapping(
            "clicks",
            eventSourceArn=clicks.arn,
            functionName=counting[0].name,
            startingPosition="LATEST",
            bisectBatchOnFunctionError=True,
            maximumRetryAttempts=5,
            maximumRecordAgeInSeconds=3600,
            functionResponseTypes=["ReportBatchItemFailures"],
            destinationConfig={"onFailure": {"destinationArn": failed.arn}},
        ),
    )


def order_pipe() -> tuple[Made, ...]:
    """A pipe starts a state machine for every message of a queue."""
    letters, alarm = make_dead_letters("unaccepted")
    incoming = make_work_queue("incoming", letters)
    flow = make_flow("incoming", {"Accept": {"Type": "Pass", "End": True}})
    runner = role("incoming-pipe", name="incoming-pipe", assumeRolePolicy=trust_service("pipes.amazonaws.com", HERE))
    return (
        letters,
        alarm,
        incoming,
        *flow,
        runner,
        role_policy(
            "incoming-pipe",
            role=runner.name,
            policy=policy(grant_receiving(incoming), grant("states:StartExecution", flow[0].arn)),
        ),
        pipe(
            "incoming",
            name="incoming",
            roleArn=runner.arn,
            source=incoming.arn,
            target=flow[0].arn,
            targetParameters={"stepFunctionStateMachineParameters": {"invocationType": "FIRE_AND_FORGET"}},
        ),
    )
