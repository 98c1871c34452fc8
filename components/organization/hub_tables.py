"""The hub's tables: incidents, the status of secrets, and the runs of audits, of all accounts."""

from collections.abc import Mapping
from typing import NamedTuple

from pulumi import ResourceOptions
from pulumi_aws import dynamodb

from ..table import table


class HubTables(NamedTuple):
    """The tables; each has an index by account."""

    incidents: dynamodb.Table
    status: dynamodb.Table
    runs: dynamodb.Table


def create_hub_tables(
    name: str, *, deletion_protection: bool, tags: Mapping[str, str] | None, opts: ResourceOptions
) -> HubTables:
    """Three tables under this name. A secret's ARN, which is the key of two of them, names account and Region."""

    def create(what: str, hash_key: str, range_key: str | None, *indexes: tuple[str, str]) -> dynamodb.Table:
        new_keys = dict.fromkeys(key for index in indexes for key in index if key not in (hash_key, range_key))
        return table(
            f"{name}-{what}",
            hash_key=hash_key,
            range_key=range_key,
            more_keys=tuple(new_keys),
            global_secondary_indexes=[
                {"name": index[0], "hash_key": index[0], "range_key": index[1], "projection_type": "ALL"}
                for index in indexes
            ],
            deletion_protection=deletion_protection,
            tags=tags,
            opts=opts,
        )

    return HubTables(
        incidents=create("incidents", "secret_arn", "opened_at", ("account", "opened_at")),
        # The index `attention` is sparse: it has only the secrets that need somebody.
        status=create("status", "secret_arn", None, ("account", "secret_arn"), ("attention", "attention_since")),
        runs=create("runs", "audit", "run_id", ("account", "finished_at")),
    )
