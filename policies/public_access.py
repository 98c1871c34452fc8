"""Decides what is open to everybody without a Principal that says so, and what is open only in appearance."""

import re
from collections.abc import Iterator

from . import kinds
from .policy_documents import Statement
from .stack import Resource

_READING = re.compile(r"s3:getobject(version)?", re.IGNORECASE)
_BY_MOUNT_TARGET = "elasticfilesystem:accessedviamounttarget"

WEBSITE = (
    "If it is meant to be public, as a website is, serve it through CloudFront with origin access control, or make an "
    "exemption"
)
"""What to do about objects that everybody may read."""


def of_function_url(url: Resource) -> Iterator[str]:
    """Why a function's URL is open to the internet, if it is: without authorization everybody may call it.

    The provider adds the permission that AWS asks for besides (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).
    """
    if url.text("authorizationType") == "NONE":
        yield (
            f"Everybody on the internet may call the function by its URL {url.name}: authorizationType is NONE. Set it "
            "to AWS_IAM, or make an exemption if the function authenticates its callers itself."
        )


def is_limited_to_network(holder: Resource, statement: Statement) -> bool:
    """Whether a statement for everybody holds only for those who reach a mount target in its VPC
    (https://docs.aws.amazon.com/efs/latest/ug/access-control-block-public-access.html)."""
    return holder.type == kinds.FILE_SYSTEM_POLICY and any(
        condition.key == _BY_MOUNT_TARGET and condition.operator == "bool" and condition.values == ["true"]
        for condition in statement.conditions
    )


def advice(holder: Resource, statement: Statement) -> str:
    """What to set in the place of Principal *. Objects of a bucket that everybody may read may be a website."""
    named = "set Principal to an account, a role or a service"
    if holder.type not in (*kinds.BUCKETS, kinds.BUCKET_POLICY):
        return f"S{named[1:]}."
    if holder.has("website"):
        return f"It is configured as a website. {WEBSITE}."
    if statement.actions and all(map(_READING.fullmatch, statement.actions)):
        return f"{WEBSITE}; otherwise {named}."
    return f"S{named[1:]}."
