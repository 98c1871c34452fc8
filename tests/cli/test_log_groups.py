"""Where an incident's execution and its rotation function write their logs."""

import pytest

from rotation_guard.cli.log_groups import EXECUTION, ROTATION_FUNCTION, build_log_links

from .conftest import aws_error
from .stacks import ARN
from .stacks import EXECUTION as EXECUTION_ARN

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:rotate-orders"
MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:remediation"
GROUP = "/aws/vendedlogs/states/rotation-guard-remediation-1a2b"


@pytest.fixture
def with_function(stack):
    """An incident of a secret whose rotation function Secrets Manager names."""
    stack.incident("orders/db")
    stack.answers["DescribeSecret"] = lambda _: {
        "ARN": f"{ARN}:orders/db-AbCdEf",
        "Name": "orders/db",
        "RotationLambdaARN": FUNCTION,
        "VersionIdsToStages": {},
    }
    return stack


def test_the_log_groups_are_those_of_the_workflow_and_of_the_functions_configuration(with_function, incidents_json):
    destination = {
        "cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:eu-west-1:123456789012:log-group:{GROUP}:*"}
    }
    with_function.answers["DescribeStateMachine"] = lambda _: {"loggingConfiguration": {"destinations": [destination]}}
    with_function.answers["GetFunctionConfiguration"] = lambda _: {"LoggingConfig": {"LogGroup": "/shared/rotation"}}

    answer = incidents_json("show", "orders/db")

    assert answer["log_groups"] == {"execution_log": GROUP, "rotation_function_log": "/shared/rotation"}
    assert with_function.calls_of("DescribeStateMachine") == [{"stateMachineArn": MACHINE}]
    assert answer["links"]["execution_log"].startswith("https://eu-west-1.console.aws.amazon.com/cloudwatch/home?")
    assert answer["links"]["rotation_function_log"].endswith("/log-group/$252Fshared$252Frotation")


@pytest.mark.parametrize("code", ["AccessDeniedException", "StateMachineDoesNotExist"])
def test_what_may_not_be_read_does_not_stop_the_report(with_function, incidents_json, code):
    with_function.answers["DescribeStateMachine"] = lambda _: aws_error(code)
    with_function.answers["GetFunctionConfiguration"] = lambda _: aws_error(code)

    assert incidents_json("show", "orders/db")["log_groups"] == {"rotation_function_log": "/aws/lambda/rotate-orders"}


def test_a_terminal_shows_names_and_links(with_function, run_on_stack):
    with_function.answers["GetFunctionConfiguration"] = lambda _: aws_error("AccessDeniedException")
    with_function.answers["DescribeStateMachine"] = lambda _: aws_error("AccessDeniedException")

    text = run_on_stack("incidents", "show", "orders/db").stdout

    assert "Log group of the rotation function: /aws/lambda/rotate-orders\n" in text
    assert "Log of the rotation function in the console: https://" in text


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "https://eu-west-1.console.aws.amazon.com/"),
        ("aws-cn", "cn-north-1", "https://cn-north-1.console.amazonaws.cn/"),
        ("aws-us-gov", "us-gov-west-1", "https://us-gov-west-1.console.amazonaws-us-gov.com/"),
    ],
)
def test_links_lead_to_the_console_of_the_partition(partition, region, host):
    execution = EXECUTION_ARN.replace(":aws:", f":{partition}:").replace("eu-west-1", region)
    function = FUNCTION.replace(":aws:", f":{partition}:").replace("eu-west-1", region)

    links = build_log_links({EXECUTION: GROUP, ROTATION_FUNCTION: "/aws/lambda/x"}, execution, function)

    assert len(links) == 2
    assert all(link.startswith(host) for link in links.values())
