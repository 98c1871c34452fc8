"""The AWS console of each partition."""

from collections.abc import Mapping

CONSOLES: Mapping[str, str] = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""The domain by partition, after the Region and a dot
(https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html, https://console.amazonaws.cn,
https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/configure-account.html)."""
