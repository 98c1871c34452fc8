"""The whole product under the real engine: previewed, deployed, unchanged, refreshed, destroyed, and deployed again."""

import json
from dataclasses import dataclass

import pytest

from local.demo import drill, expectations
from local.deploy.deployment import RunningStack
from local.deploy.resources import TABLE
from tests.engine.configurations import CONFIGURATIONS
from tests.engine.harness import EngineStack, Outcome, describe

RETAINED = {
    *(f"rotation-guard-repair-{step}" for step in ("retry", "move", "probe", "restart", "watch")),
    "rotation-guard-reports",
    "rotation-guard-findings-import",
}
"""Functions that a setting can take away, whose log groups are retained."""


@dataclass
class Deployed:
    """A stack with its first preview and update."""

    stack: EngineStack
    before: set[str]
    """The resources in AWS before the deployment."""
    preview: Outcome
    up: Outcome


def list_resources(aws) -> set[str]:
    """All of the product's resources in AWS, except secrets, which remain until their recovery window ends."""
    return {
        f"{token} {name}"
        for token, entry in TABLE.items()
        if token != "aws:secretsmanager/secret:Secret"
        for name in entry.list_names(aws)
        if "rotation-guard" in name
    }


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def deployed(request, new_stack, aws):
    before = list_resources(aws)
    stack = new_stack(request.param)
    return Deployed(stack, before, stack.preview(), stack.up())


def test_a_first_update_creates_what_its_preview_lists(deployed):
    assert deployed.preview.messages == deployed.up.messages == []
    assert {step.op for step in deployed.up.changes()} == {"create"}
    assert describe(deployed.preview.steps) == describe(deployed.up.steps)


def test_a_preview_after_the_deployment_has_no_changes(deployed):
    preview = deployed.stack.preview()

    assert (preview.failed, preview.messages, preview.changes()) == (False, [], [])


def test_a_refresh_finds_no_drift(deployed):
    refreshed = deployed.stack.refresh()
    preview = deployed.stack.preview()

    assert (refreshed.failed, refreshed.messages, refreshed.changes()) == (False, [], [])
    assert (preview.failed, preview.messages, preview.changes()) == (False, [], [])


def test_the_audit_is_scheduled_and_records_every_check(deployed, aws):
    outputs = deployed.up.outputs

    schedule = aws.client("scheduler").get_schedule(
        GroupName=outputs["schedule_group_name"], Name=outputs["schedule_name"]
    )
    answer = aws.client("lambda").invoke(FunctionName=outputs["function_name"], Payload=b"{}")
    run = json.loads(answer["Payload"].read())
    rows = aws.client("dynamodb").scan(TableName=outputs["table_name"])["Items"]

    assert schedule["ScheduleExpression"] == outputs["schedule_expression"]
    assert schedule["Target"]["Arn"].endswith(f":function:{outputs['function_name']}")
    assert "FunctionError" not in answer
    assert len([row for row in rows if row["run_id"]["S"] == run["run_id"]]) == run["checked"]
    # The engine writes texts.
    demo = str(deployed.stack.read_config().get("rotation-guard:demo")).lower() == "true"
    assert (run["checked"] > 0) == demo


def test_a_failed_rotation_is_repaired_on_the_deployed_stack(deployed, emulator, aws):
    if deployed.stack.name != "dev":
        pytest.skip("a drill needs the settings of the dev stack: the demo, and waits of a minute")
    running = RunningStack(
        directory=emulator.folder.parent,
        stack=deployed.stack.name,
        endpoint_url=aws.endpoint_url,
        region=aws.region,
        account_id=aws.account_id,
        access_key_id=aws.access_key_id,
        secret_access_key=aws.secret_access_key,
        folder=emulator.folder.name,
        outputs=deployed.up.outputs,
        inbox={},
        seconds={},
    )

    results = expectations.check_all(drill.run(running, "testSecret"))

    assert results
    assert [(expectation, violation) for expectation, violation in results if violation] == []


def test_a_destroyed_stack_retains_only_logs_that_are_evidence_and_can_be_deployed_again(deployed, aws):
    retained = {
        f"{resource['type']} {resource['id']}"
        for resource in deployed.stack.export()["deployment"]["resources"]
        if resource["urn"].rpartition("::")[2] in RETAINED and resource["type"] == "aws:cloudwatch/logGroup:LogGroup"
    }

    destroyed = deployed.stack.destroy()

    assert (destroyed.failed, destroyed.messages) == (False, [])
    assert list_resources(aws) - deployed.before == retained
    assert (retained != set()) == (deployed.stack.read_config()["rotation-guard:remediationMode"] != "notify")
    again = deployed.stack.up()
    assert (again.failed, again.messages) == (False, [])
    assert describe(again.steps) == describe(deployed.up.steps)
    assert not deployed.stack.destroy().failed
