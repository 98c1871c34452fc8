"""Stored reports: their bucket is there and protects them, and the last one was stored in time."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from rotation_guard.domain.audit.stored_report import PREFIX, build_key, read_scheduled_at
from rotation_guard.domain.schedule_expression import longest_period_seconds

from .examination import Examination
from .keys import find_customer_key
from .link import Check, Finding, Part, broken, note
from .schedules import REPORTS, judge_last, require_schedule

_BUCKET, _DAYS = "reports_bucket_name", "report_object_lock_days"
_BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
_EVERY_REPORT = ".csv"
"""How the key of a file ends that every report has."""
_GOVERNANCE = "GOVERNANCE"


def list_checks(examination: Examination) -> Iterable[Check]:
    """The bucket and the last report in it; none for a stack that stores no reports."""
    if not examination.has(_BUCKET):
        return []
    judges = (
        lambda name: _check_versioning(examination, name),
        lambda name: _check_encryption(examination, name),
        lambda name: judge_public_access(name, examination.read("s3:GetBucketPublicAccessBlock", Bucket=name)),
        lambda name: _check_lock(examination, name),
    )
    return [
        Check("bucket", "reports", (_existence(examination), *(_of_existing(examination, judge) for judge in judges))),
        Check("reports", "last stored", (lambda: _check_last(examination),)),
    ]


def judge_versioning(name: str, status: str | None) -> Iterator[Finding]:
    """Whether what is deleted or replaced in a bucket can be restored."""
    if status != "Enabled":
        yield broken(
            f"The bucket {name} does not keep versions: what is deleted is lost.",
            f"Run `aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled`.",
        )


def judge_encryption(name: str, configuration: Mapping[str, Any] | None, key_id: str | None) -> Iterator[Finding]:
    """Whether a bucket encrypts by default: with the customer key of the stack, if it has one."""
    rules = ((configuration or {}).get("ServerSideEncryptionConfiguration") or {}).get("Rules") or [{}]
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    if not default:
        yield broken(f"The bucket {name} has no default encryption.")
    elif key_id and default.get("KMSMasterKeyID") != key_id:
        used = default.get("KMSMasterKeyID") or default.get("SSEAlgorithm")
        yield broken(f"The bucket {name} is encrypted with {used}, and the stack's queues with {key_id}.")


def judge_public_access(name: str, block: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Whether all public access to a bucket is blocked."""
    configuration = (block or {}).get("PublicAccessBlockConfiguration") or {}
    if open_ones := [one for one in _BLOCKS if not configuration.get(one)]:
        every = ",".join(f"{one}=true" for one in _BLOCKS)
        yield broken(
            f"The bucket {name} does not block public access: {', '.join(open_ones)} is off.",
            f"Run `aws s3api put-public-access-block --bucket {name} --public-access-block-configuration {every}`.",
        )


def judge_lock(name: str, lock: Mapping[str, Any] | None, days: int) -> Iterator[Finding]:
    """Whether Object Lock keeps each report for as many days as are set, 0 for none."""
    configuration = (lock or {}).get("ObjectLockConfiguration") or {}
    retention = (configuration.get("Rule") or {}).get("DefaultRetention") or {}
    mode, kept = retention.get("Mode"), _describe_retention(retention)
    expected = _describe_retention({"Days": days}) if days else "no time"
    if kept != expected:
        yield broken(f"Object Lock of the bucket {name} keeps a report for {kept}, and {_DAYS} says {expected}.")
    elif days and mode != _GOVERNANCE:
        yield broken(f"Object Lock of the bucket {name} is in mode {mode}, and not {_GOVERNANCE}.")
    elif days:
        yield note(f"Object Lock keeps each report for {kept}.")


def _describe_retention(retention: Mapping[str, Any]) -> str:
    for unit in ("Days", "Years"):
        if count := retention.get(unit):
            return f"{count} {unit.lower() if count > 1 else unit.lower()[:-1]}"
    return "no time"


def _existence(examination: Examination) -> Part:
    def check() -> Iterator[Finding]:
        name = examination.output(_BUCKET)
        if _read_versioning(examination, name) is None:
            yield broken(f"The bucket {name} does not exist.")

    return check


def _of_existing(examination: Examination, judge: Callable[[str], Iterable[Finding]]) -> Part:
    """A part about the bucket, which says nothing of one that does not exist."""

    def check() -> Iterator[Finding]:
        name = examination.output(_BUCKET)
        if _read_versioning(examination, name) is not None:
            yield from judge(name)

    return check


def _check_versioning(examination: Examination, name: str) -> Iterator[Finding]:
    yield from judge_versioning(name, (_read_versioning(examination, name) or {}).get("Status"))


def _check_encryption(examination: Examination, name: str) -> Iterator[Finding]:
    configuration = examination.read("s3:GetEncryptionConfiguration", Bucket=name)
    yield from judge_encryption(name, configuration, find_customer_key(examination))


def _check_lock(examination: Examination, name: str) -> Iterator[Finding]:
    lock = examination.read("s3:GetBucketObjectLockConfiguration", Bucket=name)
    yield from judge_lock(name, lock, examination.number(_DAYS))


def _check_last(examination: Examination) -> Iterator[Finding]:
    described = require_schedule(examination, REPORTS)
    limit = 2 * timedelta(seconds=longest_period_seconds(described["ScheduleExpression"]))
    listed = examination.read_existing(
        "s3:ListBucket",
        Bucket=examination.output(_BUCKET),
        Prefix=PREFIX,
        # Keys sort by time.
        StartAfter=build_key(examination.now - limit),
    )
    keys = [one["Key"] for one in listed.get("Contents", ()) if one["Key"].endswith(_EVERY_REPORT)]
    times = [at for key in keys if (at := read_scheduled_at(key)) is not None]
    yield from judge_last(
        "report was stored",
        max(times, default=None),
        described,
        limit,
        examination.now,
        f"Read the links of the schedule {REPORTS.name}, the function report and its dead letters.",
    )


def _read_versioning(examination: Examination, name: str) -> Mapping[str, Any] | None:
    """The versioning of a bucket; None if there is no such bucket. Raises Unanswered."""
    return examination.read("s3:GetBucketVersioning", Bucket=name)
