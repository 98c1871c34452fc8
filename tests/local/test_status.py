"""`status` shows the messages in every dead-letter queue, and alarms in ALARM."""

import pytest

from local.commands import main
from local.deploy import deployment

PROGRAM = """
from pulumi_aws import cloudwatch

topic = sns.Topic("critical")
pulumi.export("critical_topic_arn", topic.arn)
for name in ("undelivered_events", "unrecorded_events", "failed_audits"):
    queue = sqs.Queue(name.replace("_", "-"))
    pulumi.export(f"{name}_dead_letters_url", queue.url)
    if name == "unrecorded_events":
        pulumi.export("audit_dead_letters_url", queue.url)
    if name == "failed_audits":
        alarm = cloudwatch.MetricAlarm(
            "failed-audits",
            alarm_description="An audit run failed.",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions={"QueueName": queue.name},
            statistic="Maximum",
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            period=300,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
        )
        cloudwatch.CompositeAlarm(
            "page",
            alarm_name="page",
            alarm_description="The audit does not run.",
            alarm_rule=pulumi.Output.concat('ALARM("', alarm.name, '")'),
            alarm_actions=[topic.arn],
        )
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory, write_program):
    folder = tmp_path_factory.mktemp("status")
    root = write_program(folder / "project", PROGRAM)
    with deployment.deploy_temporarily(folder / ".local", root=root) as stack:
        yield stack
        assert stack.down() == []


@pytest.fixture
def status(stack, capsys):
    def read_status() -> dict[str, str]:
        assert main(["--directory", str(stack.directory), "status"]) == 0
        lines = [line.strip().partition("  ") for line in capsys.readouterr().out.splitlines()]
        return {name: value.strip() for name, _, value in lines}

    return read_status


def test_every_dead_letter_queue_is_counted_under_one_name_and_firing_alarms_are_named(stack, status):
    shown_before = status()
    counted = ("undelivered events", "unrecorded events", "failed audits")
    assert [shown_before[f"{name} dead letters"] for name in counted] == ["0", "0", "0"]
    assert "audit dead letters" not in shown_before
    assert "None of 2 alarms is in ALARM." in shown_before

    sqs = stack.client("sqs")
    for number, name in enumerate(counted, 1):
        for _ in range(number):
            sqs.send_message(QueueUrl=stack.outputs[f"{name.replace(' ', '_')}_dead_letters_url"], MessageBody="{}")
    sqs.receive_message(QueueUrl=stack.outputs["unrecorded_events_dead_letters_url"])
    deployment_alarms = stack.client("cloudwatch").get_waiter("composite_alarm_exists")
    deployment_alarms.wait(AlarmTypes=["CompositeAlarm"], StateValue="ALARM", WaiterConfig={"Delay": 1})

    shown = status()
    assert [shown[f"{name} dead letters"] for name in counted] == ["1", "2", "3"]
    assert "Alarms: 2 of 2 in ALARM" in shown
    assert shown["page"] == "The audit does not run."
    assert next(name for name in shown if name == "page" or name.startswith("failed-audits-")) == "page"

    # A deleted queue does not hide the others.
    sqs.delete_queue(QueueUrl=stack.outputs["undelivered_events_dead_letters_url"])
    shown = status()
    assert shown["undelivered events dead letters"] == "the queue does not exist"
    assert shown["failed audits dead letters"] == "3"
