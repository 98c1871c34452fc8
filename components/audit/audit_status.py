"""What is true now of each secret under audit: written by the audit, and between two runs by those who hear events."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
from pulumi import Output, ResourceOptions

from ..table import table


class AuditStatusArgs(TypedDict):
    """How the table is kept."""

    deletion_protection: NotRequired[bool]
    """Whether AWS refuses to delete the table; it does unless given."""
    tags: NotRequired[Mapping[str, str]]
    """Tags for everything that can carry them."""


DEFAULTS: AuditStatusArgs = {}


class AuditStatus(pulumi.ComponentResource):
    """A table with one row per secret, and an index of those that need someone."""

    table_name: Output[str]
    """One row per secret; the index `attention` = `yes` holds what needs someone."""
    table_arn: Output[str]
    """The same table, for the policies of those who write to it."""

    def __init__(self, name: str, args: AuditStatusArgs = DEFAULTS, opts: ResourceOptions | None = None) -> None:
        args = args or {}
        super().__init__("rotation-guard:index:AuditStatus", name, {**args}, opts)
        status = table(
            name,
            hash_key="secret_name",
            more_keys=("attention", "attention_since"),
            # Sparse: only rows that have both attributes are in it, and those are the ones that need someone.
            global_secondary_indexes=[
                {
                    "name": "attention",
                    "hash_key": "attention",
                    "range_key": "attention_since",
                    "projection_type": "ALL",
                }
            ],
            deletion_protection=args.get("deletion_protection", True),
            tags=args.get("tags"),
            opts=ResourceOptions(parent=self),
        )
        self.table_name = status.name
        self.table_arn = status.arn
        self.register_outputs({"table_name": self.table_name, "table_arn": self.table_arn})
