"""What a team has: secrets with a database behind each, the functions that rotate and probe them, what uses them."""

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.deploy.deployment import RunningStack
from local.emulator import aws_retries

from .functions import PLANTED, parameter_of

ACCOUNT, REGION = "111122223333", "eu-west-1"
NAMES = ("rotate", "probe", "hang")
FUNCTIONS = {name: f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:team-{name}" for name in (*NAMES, "gone")}
"""Their ARNs are known before they are: a stack that may call them is deployed first. One is never made."""
PROBED = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "team-probe"}
"""The tags of a secret that may be repaired on evidence."""
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@dataclass
class Estate:
    """The team's, in the account of a running stack."""

    stack: RunningStack
    role_arn: str = field(init=False)

    def __post_init__(self) -> None:
        self.secretsmanager, self.ssm = self.stack.client("secretsmanager"), self.stack.client("ssm")
        self.role_arn = self._role("team-functions", "lambda.amazonaws.com")
        for name in NAMES:
            self.function(f"team-{name}", name)
        self.stack.client("lambda").add_permission(
            FunctionName="team-rotate",
            StatementId="secretsmanager",
            Action="lambda:InvokeFunction",
            Principal="secretsmanager.amazonaws.com",
        )

    def function(self, name: str, does: str) -> str:
        """One more function of the team's, that does what one in `functions.py` does; its ARN."""
        return self.stack.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler=f"functions.{does}",
            Role=self.role_arn,
            Code={"ZipFile": _zipped(Path(__file__).with_name("functions.py"))},
            Timeout=10,
        )["FunctionArn"]

    def secret(self, tags: Mapping[str, str] | None = None, **database: Any) -> str:
        """A secret whose value its database takes; its ARN. It has no rotation yet."""
        value = f"{PLANTED}-{uuid.uuid4()}"
        arn = self.secretsmanager.create_secret(
            Name=f"team/{uuid.uuid4()}",
            SecretString=value,
            Tags=[{"Key": key, "Value": text} for key, text in {**PROBED, **(tags or {})}.items()],
        )["ARN"]
        self.set(arn, takes=_hash(value), **database)
        return arn

    def untag(self, arn: str, *names: str) -> str:
        """Takes these tags from a secret."""
        self.secretsmanager.untag_resource(SecretId=arn, TagKeys=[f"rotation-guard:{name}" for name in names])
        return arn

    def set(self, arn: str, **database: Any) -> None:
        """What the database of a secret takes, and what it does to a rotation."""
        try:
            known = json.loads(self.ssm.get_parameter(Name=parameter_of(arn))["Parameter"]["Value"])
        except self.ssm.exceptions.ParameterNotFound:
            known = {}
        text = json.dumps({**known, **database})
        self.ssm.put_parameter(Name=parameter_of(arn), Value=text, Type="String", Overwrite=True)

    def breaks(self, arn: str, step: str, times: int = 99) -> str:
        """Rotates a secret, and lets so many tries of it break at this step."""
        self.set(arn, breaks_at=step, times=times)
        self.rotate(arn)
        return arn

    def mend(self, arn: str) -> None:
        """Whatever broke the rotation has passed."""
        self.set(arn, times=0)

    def rotate(self, arn: str) -> None:
        """Asks for a rotation, and sets one up where there is none."""
        self.secretsmanager.rotate_secret(
            SecretId=arn,
            RotationLambdaARN=FUNCTIONS["rotate"],
            RotationRules={"AutomaticallyAfterDays": 30},
        )

    def aws_tries_again(self, arn: str) -> None:
        """AWS tries a failed rotation again by itself."""
        aws_retries.retry(self.stack.aws, arn)

    def pending(self, arn: str) -> str:
        """Puts a value under AWSPENDING that nobody has set in the database; its version."""
        return self.secretsmanager.put_secret_value(
            SecretId=arn, SecretString=f"{PLANTED}-{uuid.uuid4()}", VersionStages=["AWSPENDING"]
        )["VersionId"]

    def takes(self, arn: str, label: str | None) -> None:
        """The database takes the version that holds this label, and no other; none for None."""
        value = self.secretsmanager.get_secret_value(SecretId=arn, VersionStage=label)["SecretString"] if label else ""
        self.set(arn, takes=_hash(value))

    def labels(self, arn: str) -> dict[str, str]:
        """Label -> the version that holds it."""
        versions = self.secretsmanager.describe_secret(SecretId=arn)["VersionIdsToStages"]
        held = [(label, version) for version, labels in versions.items() for label in labels]
        assert len(dict(held)) == len(held), f"a label is on two versions: {versions}"
        return dict(held)

    def works(self, arn: str) -> bool:
        """Whether the database takes what is AWSCURRENT."""
        value = self.secretsmanager.get_secret_value(SecretId=arn)["SecretString"]
        known = json.loads(self.ssm.get_parameter(Name=parameter_of(arn))["Parameter"]["Value"])
        return known["takes"] == _hash(value)

    def _role(self, name: str, service: str) -> str:
        iam = self.stack.client("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document(trust))["Role"]["Arn"]
        everything = {"Effect": "Allow", "Action": ["secretsmanager:*", "ssm:*", "logs:*"], "Resource": "*"}
        iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=_document(everything))
        return arn


def _document(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _zipped(source: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        target.write(source, source.name)
    return buffer.getvalue()


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
