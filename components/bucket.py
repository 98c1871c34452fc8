"""Buckets as this stack wants them: private, versioned, encrypted, and emptied by time. For inside use."""

import re
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi import ResourceOptions
from pulumi_aws import s3

LONGEST_BUCKET_PREFIX = 37
"""S3 takes names of 63 characters, of which the provider adds 26
(https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucket/)."""
DELETED_VERSION_DAYS = 30
"""How long an object can be restored that has expired or was deleted."""
INCOMPLETE_UPLOAD_DAYS = 7


def name_bucket_prefix(first: str, name: str) -> str:
    """How the name of the bucket of a component of this name begins, in lower-case letters, digits and hyphens.

    S3 reserves some beginnings, and a name must begin with a letter or a digit, which is what `first` is for
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html). No hyphen follows another.
    """
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return f"{first}{words}"[: LONGEST_BUCKET_PREFIX - 1].strip("-") + "-"


def private_bucket(
    name: str,
    *,
    prefix: str,
    encryption: s3.BucketServerSideEncryptionConfigurationRuleArgsDict,
    history_days: int,
    deletion_protection: bool,
    tags: Mapping[str, str] | None,
    opts: ResourceOptions,
) -> tuple[s3.Bucket, s3.BucketPublicAccessBlock, s3.BucketVersioning]:
    """A bucket whose objects expire after so many days, never for 0, and can be restored for 30 days after that.

    `encryption` is the rule of its default encryption. A bucket with objects can be deleted only without deletion
    protection. New buckets have no ACLs
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html). What changes the access to it
    or what needs versions depends on the other two resources: S3 refuses two changes of a bucket at the same time.
    """
    bucket = s3.Bucket(name, bucket_prefix=prefix, force_destroy=not deletion_protection, tags=tags, opts=opts)
    public_access = s3.BucketPublicAccessBlock(
        name,
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    s3.BucketServerSideEncryptionConfiguration(name, bucket=bucket.bucket, rules=[encryption], opts=opts)
    versioning = s3.BucketVersioning(
        name, bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=opts
    )
    s3.BucketLifecycleConfiguration(
        name,
        bucket=bucket.bucket,
        rules=_list_lifecycle_rules(history_days),
        opts=pulumi.ResourceOptions.merge(opts, ResourceOptions(depends_on=[versioning])),
    )
    return bucket, public_access, versioning


def _list_lifecycle_rules(history_days: int) -> list[Any]:
    """The rules for these days; with 0 nothing expires, and what somebody deletes can always be restored.

    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html)
    """
    rules: list[Any] = [
        {
            "id": "incomplete-uploads",
            "status": "Enabled",
            "filter": {},
            "abort_incomplete_multipart_upload": {"days_after_initiation": INCOMPLETE_UPLOAD_DAYS},
        }
    ]
    if history_days:
        rules.append(
            {
                "id": "history",
                "status": "Enabled",
                "filter": {},
                "expiration": {"days": history_days},
                "noncurrent_version_expiration": {"noncurrent_days": DELETED_VERSION_DAYS},
            }
        )
    return rules
