"""Cases of the rules about stream readers: failed records and retries."""

from typing import Any

from tests.policies.programs import ACCOUNT, REGION, UNKNOWN, Case, Made, function, make, mapping, program, queue, table

KEEPS, BOUNDED = "stream-reader-keeps-its-failures", "stream-reader-retries-are-bounded"
TABLE_STREAM = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/2026-01-01T00:00:00.000"

stream = make("aws:kinesis/stream:Stream")
cluster = make("aws:msk/cluster:Cluster")
broker = make("aws:mq/broker:Broker")
pipe = make("aws:pipes/pipe:Pipe")

f = function("f")
clicks = stream("clicks")
kafka = cluster("kafka")
failed = queue("failed")
orders = queue("orders")
kept = {"onFailure": {"destinationArn": failed.arn}}


def mapping_of(source: Any = clicks.arn, **more: Any) -> Made:
    """An event source mapping."""
    return mapping("reads", eventSourceArn=source, functionName=f.arn, **more)


def pipes(source: Any, **parameters: Any) -> Made:
    """A pipe, with these parameters of its source."""
    return pipe("pipe", source=source, target=f.arn, roleArn="r", sourceParameters=parameters)


CASES = [
    Case(
        KEEPS,
        "typical",
        "a reader without an on-failure destination",
        program(clicks, f, mapping_of()),
        {"reads": "onFailure.destinationArn"},
    ),
    *(
        Case(KEEPS, "variant", what, program(clicks, kafka, f, given), {given.title: words})
        for what, given, words in [
            ("the stream of a table elsewhere", mapping_of(TABLE_STREAM), "destinationConfig"),
            ("a cluster of MSK", mapping_of(kafka.arn, topics=["orders"]), "destinationConfig"),
            (
                "a Kafka that somebody runs",
                mapping("reads", functionName=f.arn, selfManagedEventSource={"endpoints": {"K": "b:9092"}}),
                "destinationConfig",
            ),
            (
                "a destination for what succeeds",
                mapping_of(destinationConfig={"onSuccess": {"destinationArn": "x"}}),
                "onFailure",
            ),
            ("bounded retries, and then lost", mapping_of(maximumRetryAttempts=3), "all retries fail"),
            ("a pipe", pipes(clicks.arn), "kinesisStreamParameters.deadLetterConfig.arn"),
            ("a pipe of a table", pipes(TABLE_STREAM, kinesisStreamParameters={}), "dynamodbStreamParameters.deadLe"),
        ]
    ),
    Case(
        KEEPS,
        "variant",
        "the stream of a table in this stack",
        program(table("t"), f, mapping_of(table("t", streamArn=TABLE_STREAM).streamArn)),
        {"reads": "destinationConfig"},
    ),
    Case(
        KEEPS,
        "compliant",
        "a queue as the on-failure destination",
        program(clicks, f, failed, mapping_of(destinationConfig=kept)),
    ),
    Case(
        KEEPS,
        "compliant",
        "the dead letters of a pipe",
        program(clicks, failed, pipes(clicks.arn, kinesisStreamParameters={"deadLetterConfig": {"arn": failed.arn}})),
    ),
    Case(KEEPS, "unknown", "the destination", program(clicks, f, mapping_of(destinationConfig=UNKNOWN))),
    Case(KEEPS, "unknown", "the source", program(f, mapping_of(UNKNOWN))),
    *(
        Case(KEEPS, "near miss", what, program(orders, f, given))
        for what, given in {
            "a queue": mapping_of(orders.arn),
            "a broker, for which Lambda takes none": mapping_of(broker("b").arn),
            "a pipe of a queue": pipes(orders.arn),
            "a pipe of MSK, which has no dead letters": pipes(f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/k/1"),
        }.items()
    ),
    Case(
        BOUNDED,
        "typical",
        "neither retries nor age limited",
        program(clicks, f, mapping_of(destinationConfig=kept)),
        {"reads": ("7 days", "bisect")},
    ),
    Case(
        BOUNDED,
        "variant",
        "bounded by nothing, in a pipe too",
        program(
            clicks,
            f,
            mapping_of(TABLE_STREAM, maximumRetryAttempts=-1),
            pipes(clicks.arn, kinesisStreamParameters={"maximumRecordAgeInSeconds": -1}),
        ),
        {"reads": "a day", "pipe": "kinesisStreamParameters.maximumRetryAttempts"},
    ),
    Case(BOUNDED, "compliant", "a maximum age", program(clicks, f, mapping_of(maximumRecordAgeInSeconds=3600))),
    Case(BOUNDED, "compliant", "attempts", program(clicks, f, mapping_of(maximumRetryAttempts=0))),
    Case(BOUNDED, "unknown", "the attempts", program(clicks, f, mapping_of(maximumRetryAttempts=UNKNOWN))),
    Case(BOUNDED, "near miss", "Kafka, which has no such bound", program(kafka, f, mapping_of(kafka.arn))),
    Case(BOUNDED, "near miss", "a queue", program(orders, f, mapping_of(orders.arn))),
]
