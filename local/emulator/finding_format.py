"""What Security Hub demands of a finding: the AWS Security Finding Format, by botocore's model and AWS's pages.

(https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html)
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.session import Session
from botocore.validate import ParamValidator

MOST_BYTES = 240 * 1024
"""Of a finding (https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html)."""
_LENGTHS: Mapping[tuple[str, ...], int] = {
    ("Id",): 512,
    ("GeneratorId",): 512,
    ("Title",): 256,
    ("Description",): 1024,
    ("Severity", "Original"): 64,
    ("FindingProviderFields", "Severity", "Original"): 64,
    ("Remediation", "Recommendation", "Text"): 512,
}
_ALSO_REQUIRED = ("Severity", "Types")
"""What AWS requires and botocore does not
(https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html)."""
_NAMESPACES = (
    "Software and Configuration Checks",
    "TTPs",
    "Effects",
    "Unusual Behaviors",
    "Sensitive Data Identifications",
)
"""https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html#Types."""
_MOST_RESOURCES, _MOST_PRODUCT_FIELDS, _NAME_LENGTH, _VALUE_LENGTH = 32, 50, 128, 2048
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")

Finding = Mapping[str, Any]


def find_errors(finding: Finding, account: str, region: str) -> list[str]:
    """What Security Hub would refuse of a finding that this account imports as its own product."""
    report = ParamValidator().validate(finding, _load_shape())
    if report.has_errors():
        return [report.generate_report()]
    return [
        *(f"{name} is required" for name in _ALSO_REQUIRED if not finding.get(name)),
        *_check_origin(finding, account, region),
        *_check_lengths(finding),
        *_check_ratings(finding),
        *_check_collections(finding),
    ]


def measure_bytes(finding: Finding) -> int:
    """Its size as JSON."""
    return len(json.dumps(finding).encode())


def _check_origin(finding: Finding, account: str, region: str) -> Iterator[str]:
    expected = {
        "SchemaVersion": "2018-10-08",
        "AwsAccountId": account,
        "ProductArn": f"arn:aws:securityhub:{region}:{account}:product/{account}/default",
    }
    for name, value in expected.items():
        if finding[name] != value:
            yield f"{name} must be {value}, got {finding[name]}"
    for name in ("CreatedAt", "UpdatedAt"):
        if not _TIME.fullmatch(finding[name]):
            yield f"{name} must be a time, got {finding[name]}"


def _check_lengths(finding: Finding) -> Iterator[str]:
    for path, most in _LENGTHS.items():
        value: Any = finding
        for name in path:
            value = (value or {}).get(name)
        if value is not None and not 1 <= len(value) <= most:
            yield f"{'.'.join(path)} must have 1 to {most} characters, got {len(value)}"
    if measure_bytes(finding) > MOST_BYTES:
        yield f"a finding must have at most {MOST_BYTES} bytes, got {measure_bytes(finding)}"


def _check_ratings(finding: Finding) -> Iterator[str]:
    labels = _load_shape().members["Severity"].members["Label"].enum
    for holder in (finding, finding.get("FindingProviderFields", {})):
        severity = holder.get("Severity", {})
        if "Label" in severity and severity["Label"] not in labels:
            yield f"Severity.Label must be one of {', '.join(labels)}, got {severity['Label']}"
        for kind in holder.get("Types", ()):
            if kind.split("/")[0] not in _NAMESPACES or kind.count("/") > 2:
                yield f"a type must be namespace/category/classifier, got {kind}"


def _check_collections(finding: Finding) -> Iterator[str]:
    resources, fields = len(finding["Resources"]), finding.get("ProductFields", {})
    if not 1 <= resources <= _MOST_RESOURCES:
        yield f"Resources must be 1 to {_MOST_RESOURCES}, got {resources}"
    if len(fields) > _MOST_PRODUCT_FIELDS:
        yield f"ProductFields must be at most {_MOST_PRODUCT_FIELDS}, got {len(fields)}"
    for name, value in fields.items():
        if not 1 <= len(name) <= _NAME_LENGTH or not 1 <= len(value) <= _VALUE_LENGTH:
            yield f"a product field must have {_NAME_LENGTH} characters and {_VALUE_LENGTH} of value, got {name}"


@cache
def _load_shape() -> Any:
    return Session().get_service_model("securityhub").shape_for("AwsSecurityFinding")
