"""The tables: active, restorable, protected, and with rows that expire."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from .examination import Examination
from .layout import Kind
from .link import TRY_AGAIN, Check, Finding, Part, broken, cannot_tell, note

TABLES: Mapping[str, str] = {
    "audit": "table_name",
    "status": "status_table_name",
    "runs": "runs_table_name",
    "audit trail": "audit_trail_table_name",
    "incidents": "incidents_table_name",
}
"""Name -> output."""
_EXISTING = {
    "status_table_name": "status_table_arn",
    "audit_trail_table_name": "audit_trail_table_arn",
    "incidents_table_name": "incidents_table_arn",
}
"""Output -> the argument of a table that existed already, whose owner decides about its protection."""
_INDEXES: Mapping[Kind, Mapping[str, Sequence[str]]] = {
    Kind.STACK: {"status_table_name": ("attention",)},
    Kind.HUB: {
        "status_table_name": ("attention", "account"),
        "runs_table_name": ("account",),
        "incidents_table_name": ("account",),
    },
    Kind.MEMBER: {},
}
_EXPIRY = "expires_at"


def list_checks(examination: Examination) -> Iterable[Check]:
    """One for each table."""
    for name, output in TABLES.items():
        if not examination.expects(output):
            continue
        is_own = not examination.is_existing(_EXISTING.get(output, output))
        parts = (
            _state(examination, output, is_own),
            _recovery(examination, output, is_own),
            _expiry(examination, output, is_own),
        )
        yield Check("table", name, parts)


def judge_table(
    name: str, table: Mapping[str, Any] | None, *, is_own: bool = True, indexes: Sequence[str] = ()
) -> Iterator[Finding]:
    """Whether a table can be used, with the indexes that it needs, and what protects it."""
    if table is None:
        yield broken(
            f"The table {name} does not exist.",
            "Restore it (`aws dynamodb restore-table-to-point-in-time`), or run `pulumi refresh` and `pulumi up`, "
            "which create an empty one.",
        )
        return
    status = table.get("TableStatus")
    if status == "UPDATING":
        yield note(f"The table {name} is being updated.")
    elif status == "CREATING":
        yield cannot_tell(f"The table {name} is being created.", TRY_AGAIN)
    elif status != "ACTIVE":
        yield broken(f"The table {name} is {status}.", "Read `aws dynamodb describe-table`, which says since when.")
    encryption = table.get("SSEDescription") or {}
    if encryption.get("InaccessibleEncryptionDateTime"):
        yield broken(f"The key of the table {name} cannot be used.", "Enable the key and its grants.")
    for index in indexes:
        yield from _judge_index(name, table, index)
    if not table.get("DeletionProtectionEnabled"):
        setting = " (deletionProtection is false)" if is_own else ""
        yield note(f"Nothing protects the table from deletion{setting}.")


def _judge_index(name: str, table: Mapping[str, Any], index: str) -> Iterator[Finding]:
    found = {one["IndexName"]: one.get("IndexStatus") for one in table.get("GlobalSecondaryIndexes", ())}
    if index not in found:
        yield broken(f"The table {name} has no index {index}.")
    elif found[index] != "ACTIVE":
        yield cannot_tell(
            f"The index {index} of the table {name} is {found[index]}.", "Run it again once it is ACTIVE."
        )


def judge_recovery(name: str, status: str | None, *, is_own: bool = True) -> Iterator[Finding]:
    """Whether a table can be restored to any second."""
    if status == "ENABLED":
        return
    reason = f"Point-in-time recovery of the table {name} is {status or 'unknown'}."
    fix = (
        f"Run `aws dynamodb update-continuous-backups --table-name {name} "
        "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true`."
    )
    yield broken(reason, fix) if is_own else note(reason)


def judge_expiry(name: str, description: Mapping[str, Any], *, is_own: bool = True) -> Iterator[Finding]:
    """Whether rows of a table expire."""
    status, attribute = description.get("TimeToLiveStatus"), description.get("AttributeName")
    if status in ("ENABLED", "ENABLING") and attribute == _EXPIRY:
        return
    reason = f"Time to live of the table {name} is {status or 'DISABLED'}: its rows never expire."
    if status in ("ENABLED", "ENABLING"):
        reason = f"Time to live of the table {name} reads {attribute}, and not {_EXPIRY}: its rows never expire."
    fix = (
        f"Run `aws dynamodb update-time-to-live --table-name {name} "
        f"--time-to-live-specification Enabled=true,AttributeName={_EXPIRY}`."
    )
    yield broken(reason, fix) if is_own else note(reason)


def read_table(examination: Examination, name: str) -> Mapping[str, Any] | None:
    """The description of a table; None if it does not exist. Raises Unanswered."""
    response = examination.read("dynamodb:DescribeTable", TableName=name)
    return None if response is None else response["Table"]


def _state(examination: Examination, output: str, is_own: bool) -> Part:
    def check() -> Iterator[Finding]:
        name = examination.output(output)
        indexes = _INDEXES[examination.kind].get(output, ())
        yield from judge_table(name, read_table(examination, name), is_own=is_own, indexes=indexes)

    return check


def _recovery(examination: Examination, output: str, is_own: bool) -> Part:
    def check() -> Iterator[Finding]:
        name = examination.output(output)
        response = examination.read("dynamodb:DescribeContinuousBackups", TableName=name)
        if response is not None:
            backups = response["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription") or {}
            yield from judge_recovery(name, backups.get("PointInTimeRecoveryStatus"), is_own=is_own)

    return check


def _expiry(examination: Examination, output: str, is_own: bool) -> Part:
    def check() -> Iterator[Finding]:
        name = examination.output(output)
        response = examination.read("dynamodb:DescribeTimeToLive", TableName=name)
        if response is not None:
            yield from judge_expiry(name, response["TimeToLiveDescription"], is_own=is_own)

    return check
