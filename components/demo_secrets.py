"""Four secrets to try the product on: for dev stacks only."""

import json
from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions
from pulumi_aws import lambda_, secretsmanager

from . import arns, iam_policies
from .function import Function, RuntimeArgs, statements
from .rotation_audit import MANAGED_TAG, ManagedTagArgs

AUDITED = ("fresh", "stale")
IGNORED = "ignored"
ROTATION_DAYS = 30
VALUE = json.dumps({"username": "demo", "password": "not-a-password"})


class DemoSecretsArgs(TypedDict):
    """What the demo secrets have in common."""

    managed_tag: NotRequired[ManagedTagArgs]
    """The tag that puts a secret under audit; `Managed` = `true` unless given."""
    runtime: NotRequired[RuntimeArgs]
    """What the rotation function has in common with the other functions."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


class DemoSecrets(pulumi.ComponentResource):
    """`fresh` and `stale` are audited, `ignored` is not, and `rotating` has a rotation that can be told to fail."""

    fresh_secret_name: Output[str]
    """Managed and new."""
    stale_secret_name: Output[str]
    """Managed; the one to set back in time."""
    ignored_secret_name: Output[str]
    """Carries the managed tag with another value."""
    rotating_secret_name: Output[str]
    """Rotated by a function that breaks at the step named in the tag `rotation-guard:demo-break-at`."""

    def __init__(self, name: str, args: DemoSecretsArgs | None = None, opts: ResourceOptions | None = None) -> None:
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
        rotating, value = self._secret(name, "rotating", {**unmanaged, "rotation-guard:remediation": "repair"})
        self._rotation(name, rotating, value, args.get("runtime", {}))

        self.fresh_secret_name = audited["fresh"].name
        self.stale_secret_name = audited["stale"].name
        self.ignored_secret_name = ignored.name
        self.rotating_secret_name = rotating.name
        self.register_outputs(
            {
                "fresh_secret_name": self.fresh_secret_name,
                "stale_secret_name": self.stale_secret_name,
                "ignored_secret_name": self.ignored_secret_name,
                "rotating_secret_name": self.rotating_secret_name,
            }
        )

    def _secret(
        self, name: str, kind: str, tags: Mapping[str, str]
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

    def _rotation(
        self,
        name: str,
        secret: secretsmanager.Secret,
        value: secretsmanager.SecretVersion,
        runtime: RuntimeArgs,
    ) -> None:
        function = Function(
            f"{name}-rotation",
            {
                "handler": "handlers.demo_rotation.handler",
                "description": "Rotates the demo secret, or breaks where it is told to",
                "statements": statements(iam_policies.demo_rotation, secret.arn),
                "runtime": runtime,
            },
            opts=ResourceOptions(parent=self),
        )
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
