"""Four secrets to try the product on: for dev stacks only."""

import hashlib
import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import iam, lambda_, secretsmanager, ssm

from .. import arns, iam_policies
from ..audit.rotation_audit import MANAGED_TAG, ManagedTagArgs
from ..function import Function, RuntimeArgs, statements
from ..iam_policies import Statement
from . import permissions

AUDITED = ("fresh", "stale")
IGNORED = "ignored"
ROTATION_DAYS = 30
PASSWORD = "not-a-password"  # noqa: S105 - it says so
VALUE = json.dumps({"username": "demo", "password": PASSWORD})


class DemoSecretsArgs(TypedDict):
    """What the demo secrets have in common."""

    managed_tag: NotRequired[ManagedTagArgs]
    """The tag that puts a secret under audit; `Managed` = `true` unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What the demo's functions have in common with the others."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


DEFAULTS: DemoSecretsArgs = {}


class DemoSecrets(pulumi.ComponentResource):
    """`fresh` and `stale` are audited, `ignored` is not, and `rotating` has a rotation that can be told to fail.

    What `rotating` opens is a parameter that holds the hash of one password: its probe looks there.
    """

    fresh_secret_name: Output[str]
    """Managed and new."""
    stale_secret_name: Output[str]
    """Managed; the one to set back in time."""
    ignored_secret_name: Output[str]
    """Carries the managed tag with another value."""
    rotating_secret_name: Output[str]
    """Rotated by a function that breaks at the step named in the tag `rotation-guard:demo-break-at`."""
    rotation_function_arn: Output[str]
    """Rotates `rotating`."""
    probe_function_arn: Output[str]
    """Tells which version of `rotating` works."""

    def __init__(self, name: str, args: DemoSecretsArgs = DEFAULTS, opts: ResourceOptions | None = None) -> None:
        args = args or {}
        super().__init__("rotation-guard:index:DemoSecrets", name, {**args}, opts)
        tags = args.get("tags") or {}
        managed = args.get("managed_tag", MANAGED_TAG)

        audited = {kind: self._secret(name, kind, {**tags, managed["key"]: managed["value"]})[0] for kind in AUDITED}
        # The same key with another value: what a check for the key alone would take for managed.
        other_value = "true" if managed["value"] == "false" else "false"
        ignored, _ = self._secret(name, IGNORED, {**tags, managed["key"]: other_value})
        # Not audited, whatever the tags for everything say: the audit's scenarios count on two.
        unmanaged = {key: value for key, value in tags.items() if key != managed["key"]}
        runtime = args.get("runtime", {})
        database = self._database(name, tags)
        probe = self._function(
            name,
            "probe",
            "Tells which version of the demo secret works",
            database,
            runtime,
            statements(permissions.probe, database.arn),
        )
        repaired = {"rotation-guard:remediation": "repair", "rotation-guard:probe": probe.name}
        rotating, value = self._secret(name, "rotating", {**unmanaged, **repaired})
        # A policy of its own: the secret has the probe's name in its tag, and so is made after it.
        iam.RolePolicy(
            f"{name}-probe-secret",
            role=probe.role_name,
            policy=rotating.arn.apply(lambda arn: iam_policies.document(*permissions.probed_secret(arn))),
            opts=ResourceOptions(parent=self),
        )
        rotation = self._function(
            name,
            "rotation",
            "Rotates the demo secret, or breaks where it is told to",
            database,
            runtime,
            statements(permissions.rotation, rotating.arn, database.arn),
        )
        self._rotate(name, rotating, value, rotation)

        self.fresh_secret_name = audited["fresh"].name
        self.stale_secret_name = audited["stale"].name
        self.ignored_secret_name = ignored.name
        self.rotating_secret_name = rotating.name
        self.rotation_function_arn = rotation.arn
        self.probe_function_arn = probe.arn
        self.register_outputs(
            {
                "fresh_secret_name": self.fresh_secret_name,
                "stale_secret_name": self.stale_secret_name,
                "ignored_secret_name": self.ignored_secret_name,
                "rotating_secret_name": self.rotating_secret_name,
                "rotation_function_arn": self.rotation_function_arn,
                "probe_function_arn": self.probe_function_arn,
            }
        )

    def _secret(
        self, name: str, kind: str, tags: Mapping[str, pulumi.Input[str]]
    ) -> tuple[secretsmanager.Secret, secretsmanager.SecretVersion]:
        secret = secretsmanager.Secret(
            f"{name}-{kind}",
            description=f"rotation-guard demo: {kind}",
            # Deleted at once, so that the stack can be made again under the same names.
            recovery_window_in_days=0,
            tags=tags,
            opts=ResourceOptions(parent=self),
        )
        value = secretsmanager.SecretVersion(
            f"{name}-{kind}",
            secret_id=secret.id,
            secret_string=VALUE,
            # A rotated value is not drift.
            opts=ResourceOptions(parent=self, ignore_changes=["secret_string"]),
        )
        return secret, value

    def _database(self, name: str, tags: Mapping[str, str]) -> ssm.Parameter:
        return ssm.Parameter(
            f"{name}-database",
            description="rotation-guard demo: the hash of the password that is taken now",
            type="String",
            value=hashlib.sha256(PASSWORD.encode()).hexdigest(),
            tags=tags,
            # A password that a rotation has set is not drift.
            opts=ResourceOptions(parent=self, ignore_changes=["value"]),
        )

    def _function(
        self,
        name: str,
        kind: str,
        does: str,
        database: ssm.Parameter,
        runtime: RuntimeArgs,
        may: pulumi.Input[list[Statement]],
    ) -> Function:
        return Function(
            f"{name}-{kind}",
            {
                "handler": f"handlers.demo.{kind}.handler",
                "description": does,
                "statements": may,
                "environment": {"DEMO_DATABASE_PARAMETER_NAME": database.name},
                "runtime": runtime,
            },
            opts=ResourceOptions(parent=self),
        )

    def _rotate(
        self, name: str, secret: secretsmanager.Secret, value: secretsmanager.SecretVersion, function: Function
    ) -> None:
        permission = lambda_.Permission(
            f"{name}-rotation",
            action="lambda:InvokeFunction",
            function=function.name,
            principal="secretsmanager.amazonaws.com",
            source_account=arns.part(secret.arn, arns.ArnPart.ACCOUNT),
            opts=ResourceOptions(parent=self),
        )
        secretsmanager.SecretRotation(
            f"{name}-rotating",
            secret_id=secret.id,
            rotation_lambda_arn=function.arn,
            rotation_rules={"automatically_after_days": ROTATION_DAYS},
            rotate_immediately=False,
            # AWS tests the rotation at once: the function must be allowed by then, and there must be a value.
            opts=ResourceOptions(parent=self, depends_on=[permission, value]),
        )
