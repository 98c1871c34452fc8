"""The AWS console of each partition."""

import re
from collections.abc import Mapping
from urllib.parse import quote

CONSOLES: Mapping[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The domain by partition, after the Region and a dot
(https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html, https://console.amazonaws.cn,
https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/configure-account.html)."""
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-\d")


def find_console(arn: str) -> tuple[str, str]:
    """The console's URL and Region for an ARN; validated, so that no other text becomes part of a host name."""
    _, partition, _, region, *_ = (*arn.split(":"), "", "", "", "")
    host = CONSOLES.get(partition)
    return (f"https://{region}.{host}", region) if host and _REGION.fullmatch(region) else ("", "")


def build_object_link(arn_of_region: str, bucket: str, key: str) -> str:
    """An object of S3 in the console; empty if the ARN, which says where the bucket is, is not in a known partition.

    The form is that of the console's own addresses, which AWS does not document.
    """
    host, region = find_console(arn_of_region)
    path = f"{quote(bucket, safe='')}?region={region}&prefix={quote(key, safe='/')}"
    return f"{host}/s3/object/{path}" if host else ""
