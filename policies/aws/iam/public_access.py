"""Decides what is open to everybody without a Principal that says so, and what is open only in appearance."""

import re
from collections.abc import Iterator

from ...model import resource_types
from ...model.finding import Finding
from ...model.stack import Resource, Stack
from ...model.values import any_of
from .policy_documents import Statement

_READING = re.compile(r"s3:getobject(version)?", re.IGNORECASE)
_OF_BUCKETS = (*resource_types.BUCKETS, resource_types.BUCKET_POLICY)

WEBSITE = (
    "If its objects are meant to be public, as those of a website, serve them through CloudFront with origin access "
    "control, or make an exemption"
)
"""What to do about objects that everybody may read."""


def check_function_url(url: Resource) -> Iterator[Finding]:
    """A function's URL without authorization is open to the internet.

    The provider adds the permission that AWS asks for besides (https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html).
    """
    if url.text("authorizationType") == "NONE":
        yield Finding(
            f"The function URL {url.name} is public, so anyone on the internet may invoke the function: "
            "authorizationType is NONE.",
            "Set authorizationType to AWS_IAM, or make an exemption if the function authenticates its callers itself.",
        )


def advice(holder: Resource, statement: Statement, *, is_website: bool) -> str:
    """What to set in the place of Principal *. Objects of a bucket that everybody may read may be a website."""
    named = "set Principal to specific accounts, roles or services"
    if holder.type not in _OF_BUCKETS:
        return f"S{named[1:]}."
    if is_website:
        return f"It is configured as a website. {WEBSITE}."
    if only_reads_objects(statement):
        return f"{WEBSITE}; otherwise {named}."
    return f"S{named[1:]}."


def only_reads_objects(statement: Statement) -> bool:
    """Whether a statement lets nobody do more than read the objects of a bucket."""
    return bool(statement.actions) and all(map(_READING.fullmatch, statement.actions))


def is_website(stack: Stack, holder: Resource) -> bool:
    """Whether the bucket that a policy is about is configured as a website, by its own input or beside it."""
    if holder.type not in _OF_BUCKETS:
        return False
    bucket = _bucket(stack, holder)
    return (bucket is not None and bucket.has("website")) or bool(
        _about(stack, holder, bucket, resource_types.BUCKET_WEBSITES)
    )


def is_blocked(stack: Stack, holder: Resource) -> bool:
    """Whether a bucket, whatever its policy says, lets in only its own account and AWS services.

    RestrictPublicBuckets of the bucket or of the account does that
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html). Raises Undecided
    where it may.
    """
    if holder.type not in _OF_BUCKETS:
        return False
    own = _about(stack, holder, _bucket(stack, holder), (resource_types.BUCKET_BLOCK,))
    return any_of(
        (*own, *stack.of_type(resource_types.ACCOUNT_BLOCK)),
        lambda block: block.flag("restrictPublicBuckets", absent=False),
    )


def _bucket(stack: Stack, holder: Resource) -> Resource | None:
    return holder if holder.type in resource_types.BUCKETS else stack.target(holder, "bucket", *resource_types.BUCKETS)


def _about(stack: Stack, holder: Resource, bucket: Resource | None, types: tuple[str, ...]) -> list[Resource]:
    """The resources of these types that are about the same bucket, be it of another stack."""
    if bucket is not None:
        return [resource for type_ in types for resource in stack.referring(bucket, "bucket", type_).certain]
    name = holder.value("bucket")
    return [
        resource for resource in stack.of_type(*types) if isinstance(name, str) and resource.value("bucket") == name
    ]
