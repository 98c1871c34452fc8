"""Cases of the rules about alarms on dead-letter queues."""

from typing import Any

from tests.policies.programs import (
    UNKNOWN,
    Case,
    Secret,
    concat,
    event_target,
    invoke_config,
    json_of,
    make,
    program,
    queue,
    redrive_policy,
    schedule,
    subscription,
)

WATCHED = "dead-letters-have-an-alarm"
VISIBLE = "ApproximateNumberOfMessagesVisible"
OF_ONE = " WHERE QueueName = '"
OF_ALL_QUEUES = 'SELECT MAX(ApproximateNumberOfMessagesVisible) FROM SCHEMA("AWS/SQS", QueueName)'

dead = queue("dead")
orders = queue("orders", redrivePolicy=json_of(deadLetterTargetArn=dead.arn, maxReceiveCount=5))
alarm = make("aws:cloudwatch/metricAlarm:MetricAlarm")
native_alarm = make("aws-native:cloudwatch:Alarm")


def rings(name: str = "rings", metric: Any = VISIBLE, queue_name: Any = dead.name, namespace: Any = "AWS/SQS"):
    """An alarm on one metric of a queue."""
    return alarm(name, namespace=namespace, metricName=metric, dimensions={"QueueName": queue_name}, threshold=1)


def query(metric: Any = VISIBLE, queue_name: Any = dead.name):
    """A query of an alarm, for one metric of a queue."""
    return {
        "id": "m1",
        "metric": {
            "namespace": "AWS/SQS",
            "metricName": metric,
            "dimensions": {"QueueName": queue_name},
            "stat": "Sum",
        },
    }


CASES = [
    Case(WATCHED, "typical", "no alarm", program(dead, orders), {"dead": ("No alarm reports", VISIBLE)}),
    *(
        Case(WATCHED, "variant", f"dead letters of {what}", program(dead, user), {"dead": "No alarm reports"})
        for what, user in {
            "a rule's target": event_target(
                "t", rule="r", arn="arn:aws:sns:eu-west-1:1:t", deadLetterConfig={"arn": dead.arn}
            ),
            "a schedule": schedule("s", target={"arn": "x", "roleArn": "y", "deadLetterConfig": {"arn": dead.arn}}),
            "a function's invocations": invoke_config(
                "f", functionName="f", destinationConfig={"onFailure": {"destination": dead.arn}}
            ),
            "a subscription": subscription("s", protocol="https", redrivePolicy=json_of(deadLetterTargetArn=dead.arn)),
            "a redrive policy of its own": redrive_policy(
                "r",
                queueUrl="https://sqs.eu-west-1.amazonaws.com/1/x",
                redrivePolicy=json_of(deadLetterTargetArn=dead.arn),
            ),
        }.items()
    ),
    Case(
        WATCHED,
        "variant",
        "the alarm is on the age of messages",
        program(dead, orders, rings(metric="ApproximateAgeOfOldestMessage")),
        {"dead": "No alarm reports"},
    ),
    Case(
        WATCHED,
        "variant",
        "what is sent to the queue, which redriven messages are not counted as",
        program(dead, orders, rings(metric="NumberOfMessagesSent")),
        {"dead": "No alarm reports"},
    ),
    Case(
        WATCHED,
        "variant",
        "the alarm is on the source",
        program(dead, orders, rings(queue_name=orders.name)),
        {"dead": "No alarm reports"},
    ),
    Case(
        WATCHED,
        "variant",
        "the same name in a namespace of one's own",
        program(dead, orders, rings(namespace="Shop")),
        {"dead": "No alarm reports"},
    ),
    Case(
        WATCHED,
        "variant",
        "queries for its age and for another queue's messages",
        program(
            dead,
            orders,
            alarm("rings", metricQueries=[query("ApproximateAgeOfOldestMessage"), query(queue_name=orders.name)]),
        ),
        {"dead": "No alarm reports"},
        silent_at_preview=True,
    ),
    Case(
        WATCHED,
        "variant",
        "the alarm is on a queue of another stack",
        program(dead, orders, rings(queue_name="elsewhere")),
        {"dead": "No alarm reports"},
    ),
    *(
        Case(
            WATCHED,
            "variant",
            f"the alarm has the queue's {what} for its name",
            program(dead, orders, rings(queue_name=value)),
            {"dead": "No alarm reports"},
            silent_at_preview=True,
        )
        for what, value in {"URL": dead.url, "ARN": dead.arn}.items()
    ),
    Case(WATCHED, "compliant", "an alarm on the queue's messages", program(dead, orders, rings())),
    Case(
        WATCHED,
        "compliant",
        "a query over one queue, by its name",
        program(
            dead,
            orders,
            alarm(
                "rings",
                metricQueries=[{"id": "q", "expression": concat(OF_ALL_QUEUES, OF_ONE, dead.name, "'")}],
            ),
        ),
    ),
    Case(
        WATCHED,
        "compliant",
        "an alarm of the other provider",
        program(
            dead,
            orders,
            native_alarm(
                "rings",
                namespace="AWS/SQS",
                metricName=VISIBLE,
                dimensions=[{"name": "QueueName", "value": dead.name}],
            ),
        ),
    ),
    Case(
        WATCHED,
        "compliant",
        "a query in an alarm of the other provider",
        program(
            dead,
            orders,
            native_alarm(
                "rings",
                metrics=[
                    {
                        "id": "m1",
                        "metricStat": {
                            "metric": {
                                "namespace": "AWS/SQS",
                                "metricName": VISIBLE,
                                "dimensions": [{"name": "QueueName", "value": dead.name}],
                            },
                            "period": 60,
                            "stat": "Maximum",
                        },
                    }
                ],
            ),
        ),
    ),
    Case(
        WATCHED,
        "compliant",
        "an alarm that has its name written out",
        program(
            queue("dead", name="orders-dead"),
            queue(
                "orders",
                redrivePolicy=json_of(deadLetterTargetArn=queue("dead", name="orders-dead").arn, maxReceiveCount=5),
            ),
            rings(queue_name="orders-dead"),
        ),
    ),
    Case(
        WATCHED, "compliant", "a query for its messages", program(dead, orders, alarm("rings", metricQueries=[query()]))
    ),
    Case(
        WATCHED,
        "compliant",
        "one of several queries",
        program(
            dead,
            orders,
            alarm(
                "rings",
                metricQueries=[
                    {"id": "e1", "expression": "m1 + m2", "returnData": True},
                    query("ApproximateAgeOfOldestMessage", orders.name),
                    query(),
                ],
            ),
        ),
    ),
    Case(
        WATCHED,
        "compliant",
        "a query over all queues",
        program(
            dead,
            orders,
            alarm(
                "rings",
                metricQueries=[{"id": "q", "expression": OF_ALL_QUEUES, "period": 60}],
            ),
        ),
    ),
    Case(WATCHED, "unknown", "the queue of an alarm", program(dead, orders, rings(queue_name=UNKNOWN))),
    Case(WATCHED, "unknown", "a secret one", program(dead, orders, rings(queue_name=Secret(UNKNOWN)))),
    Case(WATCHED, "unknown", "the metric of its alarm", program(dead, orders, rings(metric=UNKNOWN))),
    Case(WATCHED, "unknown", "all queries", program(dead, orders, alarm("rings", metricQueries=UNKNOWN))),
    Case(
        WATCHED,
        "unknown",
        "whether it takes dead letters",
        program(queue("maybe"), subscription("mail", protocol="https", redrivePolicy=UNKNOWN)),
    ),
    Case(WATCHED, "near miss", "a queue that takes no dead letters", program(queue("jobs"))),
    Case(
        WATCHED,
        "near miss",
        "one of two alarms",
        program(dead, orders, rings("old", metric="ApproximateAgeOfOldestMessage"), rings("count")),
    ),
]
