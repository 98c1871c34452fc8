"""The commands of docs/deploy.md and docs/rollout.md that need no engine, as printed, in order, on a running stack."""

import json
import shlex
import shutil
from collections.abc import Iterator

import jmespath
import pytest

from local.deploy.deployment import RunningStack
from local.waiting import eventually
from tests.deploy_pages import NOT_RUN, OF_THE_ENGINE, list_commands, set_up_account
from tests.handlers.aws_commands import check_command
from tests.page_commands import Shell, split_substitution
from tests.paths import ROOT
from tests.preloaded_commands import preload

PAGES = ("deploy.md", "rollout.md")
CUSTOM = ("aws s3 ",)
"""Commands of the AWS CLI that are no operations of a service."""


@pytest.fixture
def shell(stack: RunningStack, tmp_path) -> Iterator[Shell]:
    (tmp_path / "docs").mkdir()
    shutil.copytree(ROOT / "docs" / "deployer", tmp_path / "docs" / "deployer")
    (tmp_path / "stack-outputs.json").write_text(json.dumps(stack.outputs))
    stack.client("s3").create_bucket(
        Bucket="cloudtrail-old", CreateBucketConfiguration={"LocationConstraint": stack.region}
    )
    trail = stack.client("cloudtrail").create_trail(Name="cloudtrail-old", S3BucketName="cloudtrail-old")["TrailARN"]
    values = {**set_up_account(stack.aws), **stack.outputs, "trail_arn": trail, "trail_bucket": "cloudtrail-old"}
    environment = {
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_DEFAULT_REGION": stack.region,
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
    }
    with preload("aws") as aws, preload("rotation-guard") as rotation_guard:
        programs = {"aws": shlex.join(aws), "rotation_guard": shlex.join(rotation_guard)}
        yield Shell(tmp_path, programs, values, environment)


def test_every_command_of_the_pages_that_needs_no_engine_works_as_printed(shell, stack):
    commands = [command for page in PAGES for command in list_commands(page)]
    failed, answers = {}, {}

    for command in commands:
        if command.text in NOT_RUN or command.text.startswith(OF_THE_ENGINE):
            continue
        if command.text.startswith("aws ") and not command.text.startswith(CUSTOM):
            for words in split_substitution(command.text):
                check_command(words)
        result = answers[command.text] = shell.run(command.text)
        if result.exit_code:
            failed[command] = result

    assert failed == {}
    assert len(answers) > 25
    # The new value of the test secret was reported twice: as a call, and as a label that moved.
    [scan] = [text for text in answers if text.startswith("aws dynamodb scan")]
    eventually(
        lambda: {"PutSecretValue", "Secret Label Updated"} <= set(json.loads(shell.run(scan).stdout)), "both events"
    )


def test_the_page_lists_who_has_not_confirmed():
    """The embedded AWS confirms at once; AWS answers as in
    https://docs.aws.amazon.com/cli/latest/reference/sns/list-subscriptions-by-topic.html, and with this word in the
    place of an ARN (https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html)."""
    [command] = [command.text for command in list_commands("deploy.md") if "PendingConfirmation" in command.text]
    words = shlex.split(command)
    confirmed = {"SubscriptionArn": "arn:aws:sns:eu-west-1:111122223333:critical:5be1", "Endpoint": "a@example.com"}
    pending = {"SubscriptionArn": "PendingConfirmation", "Endpoint": "b@example.com"}

    query = words[words.index("--query") + 1]
    assert jmespath.search(query, {"Subscriptions": [confirmed, pending]}) == ["b@example.com"]


def test_what_is_not_run_is_on_a_page_and_every_other_command_is_run_somewhere():
    commands = {command.text for page in PAGES for command in list_commands(page)}

    assert set(NOT_RUN) <= commands
    known = ("aws ", "rotation-guard ", "for policy in ", "sed ", *OF_THE_ENGINE)
    assert [command for command in commands - set(NOT_RUN) if not command.startswith(known)] == []
