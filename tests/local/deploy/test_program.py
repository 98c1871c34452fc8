"""A Pulumi program in the emulator: its config, its outputs, and its errors in a sentence."""

import threading

import pytest

from local.deploy import program as pulumi_program
from local.deploy.resources import TABLE
from local.deploy.stacks import read_stack
from local.errors import LocalError

DECLARED = """\
  schedule: {type: string, default: rate(1 hour)}
  days: {type: integer, default: 30}
  demo: {type: boolean, default: false}
  managedTag: {type: object, default: {key: Managed, value: "true"}}
  optional: {type: string}
"""


def test_config_is_text_with_the_defaults_of_the_project(program):
    stack = read_stack("dev", root=program("", DECLARED, "  example:days: 0\n  example:demo: true\n"))
    assert dict(stack.config) == {
        "aws:region": "eu-west-1",
        "example:first": "1",
        "example:schedule": "rate(1 hour)",
        "example:days": "0",
        "example:demo": "true",
        "example:managedTag": '{"key": "Managed", "value": "true"}',
    }


def test_overrides_replace_the_stack_file_and_none_restores_the_default(program):
    root = program("", DECLARED, "  example:days: 7\n  example:schedule: rate(2 hours)\n")
    config = read_stack("dev", {"days": None, "schedule": "rate(3 hours)", "undeclared": [1]}, root).config
    assert (config["example:days"], config["example:schedule"]) == ("30", "rate(3 hours)")
    assert config["example:undeclared"] == "[1]"


def test_a_stack_without_a_file_or_a_region_is_refused(program):
    root = program()
    with pytest.raises(LocalError, match=r"no stack 'staging'.*Pulumi\.staging\.yaml"):
        read_stack("staging", root=root)
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    with pytest.raises(LocalError, match=r"does not set aws:region"):
        _ = read_stack("dev", root=root).region


def test_a_config_file_that_is_not_yaml_is_rejected_in_one_line(program):
    root = program()
    (root / "Pulumi.dev.yaml").write_text("config: [\n")
    with pytest.raises(LocalError, match=r"^Pulumi\.dev\.yaml is not YAML: [^\n]+$"):
        read_stack("dev", root=root)


@pytest.mark.parametrize(
    "value",
    ["{secure: AAABAM}", "[{protocol: https, endpoint: {secure: AAABAM}}]", "{a: {b: [c, {secure: AAABAM}]}}"],
)
def test_an_encrypted_value_is_refused_by_its_key(program, value):
    root = program("", "", f"  example:token: {value}\n")
    with pytest.raises(LocalError, match=r"example:token is encrypted"):
        read_stack("dev", root=root)


def deploy(aws, root):
    deployed = pulumi_program.run(read_stack("dev", root=root), aws)
    for resource in reversed(deployed.resources):
        resource.delete(aws)
    return deployed


def test_a_program_runs_again_and_again_in_one_process_with_its_own_config_and_names(aws, program):
    body = """
config = pulumi.Config()
topic = sns.Topic("orders", display_name=f"{pulumi.get_project()}/{pulumi.get_stack()}/{config.require_int('first')}")
queue = sqs.Queue("orders", message_retention_seconds=60, tags={"topic": topic.arn})
pulumi.export("topic_arn", topic.arn)
pulumi.export("secret", pulumi.Output.secret(topic.display_name))
pulumi.export("plain", {"list": [1, queue.name]})
"""
    first, second = (deploy(aws, program(body, "", f"  example:first: {number}\n")) for number in (1, 2))
    assert [resource.token for resource in first.resources] == ["aws:sns/topic:Topic", "aws:sqs/queue:Queue"]
    assert first.outputs["topic_arn"].startswith("arn:aws:sns:eu-west-1:111122223333:orders-")
    assert first.outputs["topic_arn"] != second.outputs["topic_arn"]
    assert (first.outputs["secret"], second.outputs["secret"]) == ("example/dev/1", "example/dev/2")
    assert first.outputs["plain"]["list"][1].startswith("orders-")


def test_a_secret_input_reaches_aws_as_it_is(aws, program):
    body = """
topic = sns.Topic("orders", display_name=pulumi.Output.secret("hidden"))
pulumi.export("name", topic.display_name)
"""
    assert deploy(aws, program(body)).outputs["name"] == "hidden"


def test_an_error_of_the_program_is_reported_as_is(aws, program):
    with pytest.raises(LocalError, match=r"^days must be 1$"):
        deploy(aws, program('raise pulumi.RunError("days must be 1")'))


def test_a_type_without_an_entry_is_named(aws, program):
    body = 'from pulumi_aws import ec2\nec2.Vpc("net")\nsns.Topic("orders")'
    with pytest.raises(LocalError, match=r"aws:ec2/vpc:Vpc"):
        deploy(aws, program(body))


def test_an_error_of_aws_names_the_resource(aws, program):
    body = 'bad = sqs.Queue("orders", message_retention_seconds=1)\nsqs.Queue("later", name=bad.name)'
    with pytest.raises(LocalError, match=r"aws:sqs/queue:Queue orders could not be created: .*MessageRetentionPeriod"):
        deploy(aws, program(body))


def test_a_lookup_is_rejected_by_name(aws, program):
    body = "import pulumi_aws as aws\naws.get_caller_identity()"
    with pytest.raises(LocalError, match=r"looked up aws:index/getCallerIdentity"):
        deploy(aws, program(body))


def test_a_run_leaves_no_thread_behind(aws, program):
    before = threading.active_count()
    deploy(aws, program('sns.Topic("orders")'))
    assert threading.active_count() == before


def test_the_types_of_the_table_are_those_of_the_sdk():
    pulumi_program.prepare()
    assert TABLE
