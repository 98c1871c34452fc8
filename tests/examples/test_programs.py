"""The example programs: each creates what its page says, and the policy pack has no mandatory complaint about it."""

import json
import re
import runpy
from collections import Counter

import pytest
import yaml

from local.check_own_stack import read_resources
from local.mocks import recording
from policies.model.evaluation import check
from rotation_guard.cli.deployment import resolve_deployment
from rotation_guard.cli.tables import AuditTables
from tests.paths import ROOT

EXAMPLES = ROOT / "examples"
HERE = "eu-west-1:111122223333"
CONFIG = {
    "failuresTopicArn": f"arn:aws:sns:{HERE}:failures",
    "remediationTopicArn": f"arn:aws:sns:{HERE}:remediation",
    "criticalTopicArn": f"arn:aws:sns:{HERE}:critical",
    "keyArn": f"arn:aws:kms:{HERE}:key/7d0e",
}
PROGRAMS = ("audit-only", "bring-your-own-topic-and-key", "minimal", "notifications-only")
TOPIC, TABLE, FUNCTION = "aws:sns/topic:Topic", "aws:dynamodb/table:Table", "aws:lambda/function:Function"


@pytest.fixture(scope="module")
def run_example():
    """Runs the program of an example as Pulumi does, with the configuration that its project declares."""
    recordings = {}

    def run(name):
        if name not in recordings:
            project = yaml.safe_load((EXAMPLES / name / "Pulumi.yaml").read_text(encoding="utf-8"))
            config = {f"{recording.PROJECT}:{key}": CONFIG[key] for key in project.get("config", {})}
            program = EXAMPLES / name / "__main__.py"
            recordings[name] = recording.run(
                lambda: runpy.run_path(str(program), run_name="__main__"), config={"aws:region": "eu-west-1", **config}
            )
        return recordings[name]

    return run


def count(stack):
    return Counter(resource.type for resource in stack.custom())


def test_every_program_in_python_is_run():
    # The hub and its members have tests of their own.
    assert {path.parent.name for path in EXAMPLES.glob("*/__main__.py")} == {*PROGRAMS, "organization"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_policy_pack_has_no_mandatory_complaint(run_example, name):
    report = check(read_resources(run_example(name)))

    assert report.mandatory == ()
    assert report.failure is None
    assert report.resources > 10


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_is_a_project_with_a_page(name):
    folder = EXAMPLES / name
    project = yaml.safe_load((folder / "Pulumi.yaml").read_text(encoding="utf-8"))
    page = (folder / "README.md").read_text(encoding="utf-8")

    assert project["name"] == name
    assert (folder / "requirements.txt").read_text(encoding="utf-8") == "../..[pulumi]\n"
    assert set(re.findall(r"^\$ pulumi config set (\w+) ", page, re.MULTILINE)) == set(project.get("config", {}))


def test_every_example_is_on_the_overview_and_every_link_has_a_target():
    pages = [EXAMPLES / "README.md", *sorted(EXAMPLES.glob("*/README.md"))]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))]

    assert [
        (page, link) for page, link in links if not link.startswith("http") and not (page.parent / link).exists()
    ] == []
    listed = {link for page, link in links if page == pages[0] and not link.startswith("..")}
    assert listed == {folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()}


def test_the_minimal_program_is_the_whole_product_and_repairs_nothing(run_example):
    stack = run_example("minimal")

    [guard] = stack.of_type("rotation-guard:index:RotationGuard")
    subscriptions = stack.of_type("aws:sns/topicSubscription:TopicSubscription")
    endpoints = [subscription.inputs["endpoint"] for subscription in subscriptions]
    assert endpoints == ["platform-team@example.com", "on-call@example.com"]
    assert set(guard.inputs) == {"subscriptions"}
    assert {"dashboard_url", "state_machine_arn", "status_table_name"} <= set(stack.outputs)
    assert not [role.name for role in stack.of_type("aws:iam/role:Role") if role.name.endswith(("-retry", "-move"))]


def test_brought_topics_are_published_to_and_made_by_nobody(run_example):
    stack = run_example("bring-your-own-topic-and-key")

    # Alarms must not depend on the key.
    assert [topic.name for topic in stack.of_type(TOPIC)] == ["rotation-guard-alarms"]
    targets = {target.inputs["arn"] for target in stack.of_type("aws:cloudwatch/eventTarget:EventTarget")}
    assert CONFIG["failuresTopicArn"] in targets
    published = {
        arn
        for policy in stack.of_type("aws:iam/rolePolicy:RolePolicy")
        for statement in policy.policy()
        if "sns:Publish" in statement["Action"]
        for arn in ([statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"])
    }
    assert published == {CONFIG["remediationTopicArn"], CONFIG["criticalTopicArn"]}
    assert {queue.inputs["kmsMasterKeyId"] for queue in stack.of_type("aws:sqs/queue:Queue")} == {CONFIG["keyArn"]}
    assert set(stack.outputs) == {"alarms_topic_arn", "dashboard_url"}


def test_the_audit_alone_has_three_tables_one_function_and_no_topic(run_example):
    counts = count(run_example("audit-only"))

    assert (counts[TABLE], counts[FUNCTION], counts["aws:scheduler/schedule:Schedule"]) == (3, 1, 1)
    assert counts[TOPIC] == counts["aws:cloudwatch/eventRule:EventRule"] == 0


def test_the_outputs_of_the_audit_are_enough_for_a_report(run_example, tmp_path):
    outputs = tmp_path / "stack-outputs.json"
    outputs.write_text(json.dumps(run_example("audit-only").outputs))

    # It looks its tables up by the outputs' names, and raises for one that is missing.
    assert AuditTables(resolve_deployment(str(outputs), False, None, "eu-west-1"))


def test_notifications_alone_run_no_function(run_example):
    stack = run_example("notifications-only")

    assert count(stack)[FUNCTION] == count(stack)[TABLE] == 0
    targets = stack.of_type("aws:cloudwatch/eventTarget:EventTarget")
    assert targets
    assert {target.inputs["arn"] for target in targets} == {stack.outputs["failures_topic_arn"]}
    assert all("deadLetterConfig" in target.inputs for target in targets)
