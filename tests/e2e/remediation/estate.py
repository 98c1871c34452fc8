"""A team's resources: secrets, each with a database, and the functions that rotate and probe them."""

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
"""ARNs of the team's functions, which a stack needs before they are created; `gone` never is."""
PROBED = {"rotation-guard:remediation": "repair", "rotation-guard:probe": "team-probe"}
"""Tags of a secret that opts in to repairs and has a probe."""
STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


@dataclass
class Estate:
    """The team's resources in the account of a running stack."""

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

    def function(self, name: str, behavior: str) -> str:
        """Creates a function that runs this one of `functions.py`; returns its ARN."""
        return self.stack.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler=f"functions.{behavior}",
            Role=self.role_arn,
            Code={"ZipFile": _zipped(Path(__file__).with_name("functions.py"))},
            Timeout=10,
        )["FunctionArn"]

    def secret(self, tags: Mapping[str, str] | None = None, **database: Any) -> str:
        """Creates a secret without rotation, whose value its database accepts; returns its ARN."""
        value = f"{PLANTED}-{uuid.uuid4()}"
        arn = self.secretsmanager.create_secret(
            Name=f"team/{uuid.uuid4()}",
            SecretString=value,
            Tags=[{"Key": key, "Value": text} for key, text in {**PROBED, **(tags or {})}.items()],
        )["ARN"]
        self.set(arn, accepted_hash=_hash(value), **database)
        return arn

    def untag(self, arn: str, *names: str) -> str:
        """Removes these tags from a secret; returns its ARN."""
        self.secretsmanager.untag_resource(SecretId=arn, TagKeys=[f"rotation-guard:{name}" for name in names])
        return arn

    def set(self, arn: str, **database: Any) -> None:
        """Changes what the database of a secret accepts, and how it makes a rotation fail."""
        try:
            database_state = json.loads(self.ssm.get_parameter(Name=parameter_of(arn))["Parameter"]["Value"])
        except self.ssm.exceptions.ParameterNotFound:
            database_state = {}
        text = json.dumps({**database_state, **database})
        self.ssm.put_parameter(Name=parameter_of(arn), Value=text, Type="String", Overwrite=True)

    def fail_rotation(self, arn: str, step: str, times: int = 99) -> str:
        """Rotates a secret, and makes this many attempts fail at this step."""
        self.set(arn, breaks_at=step, times=times)
        self.rotate(arn)
        return arn

    def rotate(self, arn: str) -> None:
        """Requests a rotation, and configures it if necessary."""
        self.secretsmanager.rotate_secret(
            SecretId=arn,
            RotationLambdaARN=FUNCTIONS["rotate"],
            RotationRules={"AutomaticallyAfterDays": 30},
        )

    def aws_tries_again(self, arn: str) -> None:
        """AWS retries a failed rotation by itself."""
        aws_retries.retry(self.stack.aws, arn)

    def put_pending_value(self, arn: str) -> str:
        """Puts a value under AWSPENDING that the database does not accept; returns its version."""
        return self.secretsmanager.put_secret_value(
            SecretId=arn, SecretString=f"{PLANTED}-{uuid.uuid4()}", VersionStages=["AWSPENDING"]
        )["VersionId"]

    def accept_label(self, arn: str, label: str | None) -> None:
        """Makes the database accept only the version with this label; no version for None."""
        value = self.secretsmanager.get_secret_value(SecretId=arn, VersionStage=label)["SecretString"] if label else ""
        self.set(arn, accepted_hash=_hash(value))

    def labels(self, arn: str) -> dict[str, str]:
        """Label -> version id."""
        versions = self.secretsmanager.describe_secret(SecretId=arn)["VersionIdsToStages"]
        pairs = [(label, version) for version, labels in versions.items() for label in labels]
        assert len(dict(pairs)) == len(pairs), f"a label is on two versions: {versions}"
        return dict(pairs)

    def works(self, arn: str) -> bool:
        """Whether the database accepts AWSCURRENT."""
        value = self.secretsmanager.get_secret_value(SecretId=arn)["SecretString"]
        database_state = json.loads(self.ssm.get_parameter(Name=parameter_of(arn))["Parameter"]["Value"])
        return database_state["accepted_hash"] == _hash(value)

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
