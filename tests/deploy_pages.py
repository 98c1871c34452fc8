"""The commands of docs/deploy.md and docs/rollout.md: which are run, and what the embedded AWS needs for them."""

import json
import re
from collections.abc import Mapping
from typing import Any

from local.aws import Aws
from tests.page_commands import Command, read_commands
from tests.paths import ROOT

NOT_RUN: Mapping[str, str] = {
    "pulumi login": "needs an account at Pulumi Cloud; the login to a bucket is run",
    "pulumi stack init <organization>/prod": "needs an account at Pulumi Cloud; a stack in a bucket is made",
    "pulumi install": "downloads the requirements, which are there; tests/engine/test_commands.py installs others",
}
"""Commands that cannot run without an account or a network, each with the reason."""
OF_THE_ENGINE = ("pulumi ", ".venv/bin/python rollout.py")
"""How commands begin that need the real Pulumi engine, and so run in tests/engine alone."""


def list_commands(page: str) -> list[Command]:
    """The commands of a page in order, without its files in YAML and Python."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return read_commands(re.sub(r"^```(?:yaml|python)\n.*?^```\n", "", text, flags=re.DOTALL | re.MULTILINE))


def read_files(page: str) -> dict[str, str]:
    """The files that a page shows, by the name in their first line."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:yaml|python)\n# (\S+)\n(.*?)^```\n", text, flags=re.DOTALL | re.MULTILINE)
    return dict(blocks)


def set_up_account(aws: Aws) -> dict[str, Any]:
    """What an account has before a deployment, and what incidents leave in it, by the pages' placeholders."""
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{aws.account_id}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="deployer", AssumeRolePolicyDocument=document)["Role"]
    # The embedded AWS shortens waits.
    waiting = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 30_000_000, "End": True}}}
    machine = aws.client("stepfunctions").create_state_machine(
        name="waiting", definition=json.dumps(waiting), roleArn=role["Arn"]
    )["stateMachineArn"]
    execution = aws.client("stepfunctions").start_execution(stateMachineArn=machine)["executionArn"]
    aws.client("logs").create_log_group(logGroupName="/aws/lambda/rotation-guard-remediation-retry-old")
    secret = aws.client("secretsmanager").create_secret(Name="orders/db", SecretString="x")["ARN"]
    scope = f"{aws.region}:{aws.account_id}"
    return {
        "account": aws.account_id,
        "region": aws.region,
        "deployer_role": "deployer",
        "state_bucket": "pulumi-state",
        "execution": execution,
        "log_group": "/aws/lambda/rotation-guard-remediation-retry-old",
        "secret": secret,
        "rotation_function": f"arn:aws:lambda:{scope}:function:orders-rotation",
        "probe": f"arn:aws:lambda:{scope}:function:orders-probe",
    }
