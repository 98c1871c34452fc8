"""CloudTrail trails and the S3 buckets of their log files. The embedded AWS delivers no log files."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...aws import Aws
from .entry import CreatedResource, Entry, Inputs, build_tag_list, select_inputs, supported_inputs, to_api_case

_TRAIL = {
    "S3BucketName": "s3BucketName",
    "KmsKeyId": "kmsKeyId",
    "EnableLogFileValidation": "enableLogFileValidation",
    "IsMultiRegionTrail": "isMultiRegionTrail",
    "IncludeGlobalServiceEvents": "includeGlobalServiceEvents",
}


def _create_bucket(aws: Aws, inputs: Inputs) -> CreatedResource:
    name, s3 = inputs["bucket"], aws.client("s3")
    # S3 refuses the name of the Region us-east-1 here
    # (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html).
    elsewhere = {} if aws.region == "us-east-1" else {"LocationConstraint": aws.region}
    s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": elsewhere} if elsewhere else {}))
    tag_bucket(aws, name, inputs)
    return CreatedResource(name, {"arn": f"arn:aws:s3:::{name}"})


def tag_bucket(aws: Aws, name: str, inputs: Inputs) -> None:
    """Replace the tags of a bucket."""
    if tags := build_tag_list(inputs):
        aws.client("s3").put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})
    else:
        aws.client("s3").delete_bucket_tagging(Bucket=name)


def _delete_bucket(aws: Aws, bucket: CreatedResource) -> None:
    """Delete a bucket with everything in it: the local deployment created it."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket.id):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(
                Bucket=bucket.id, Key=version["Key"], VersionId=version["VersionId"], BypassGovernanceRetention=True
            )
    s3.delete_bucket(Bucket=bucket.id)


def _list_buckets(aws: Aws) -> Iterable[str]:
    return (bucket["Name"] for bucket in aws.client("s3").list_buckets()["Buckets"])


def _bucket_part(put: Callable[[Any, Inputs], None]) -> Callable[[Aws, Inputs], CreatedResource]:
    """A configuration of a bucket, which is deleted with it."""

    def create(aws: Aws, inputs: Inputs) -> CreatedResource:
        put(aws.client("s3"), inputs)
        return CreatedResource(inputs["bucket"], {})

    return create


def _put_access_block(s3: Any, inputs: Inputs) -> None:
    block = {key: value for key, value in inputs.items() if key != "bucket"}
    s3.put_public_access_block(Bucket=inputs["bucket"], PublicAccessBlockConfiguration=to_api_case(block))


def _put_encryption(s3: Any, inputs: Inputs) -> None:
    default = "applyServerSideEncryptionByDefault"
    rules = [
        {
            "ApplyServerSideEncryptionByDefault": select_inputs(
                rule[default], SSEAlgorithm="sseAlgorithm", KMSMasterKeyID="kmsMasterKeyId"
            ),
            **select_inputs(rule, BucketKeyEnabled="bucketKeyEnabled"),
        }
        for rule in inputs["rules"]
    ]
    s3.put_bucket_encryption(Bucket=inputs["bucket"], ServerSideEncryptionConfiguration={"Rules": rules})


def _put_versioning(s3: Any, inputs: Inputs) -> None:
    s3.put_bucket_versioning(
        Bucket=inputs["bucket"], VersioningConfiguration=to_api_case(inputs["versioningConfiguration"])
    )


def _put_object_lock(s3: Any, inputs: Inputs) -> None:
    s3.put_object_lock_configuration(
        Bucket=inputs["bucket"],
        ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": to_api_case(inputs["rule"])},
    )


def _put_lifecycle(s3: Any, inputs: Inputs) -> None:
    rules = [{"ID": rule["id"], **to_api_case(_without(rule, "id"))} for rule in inputs["rules"]]
    s3.put_bucket_lifecycle_configuration(Bucket=inputs["bucket"], LifecycleConfiguration={"Rules": rules})


def _without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def _put_policy(s3: Any, inputs: Inputs) -> None:
    s3.put_bucket_policy(Bucket=inputs["bucket"], Policy=inputs["policy"])


def _create_trail(aws: Aws, inputs: Inputs) -> CreatedResource:
    name = inputs["name"]
    arn = aws.client("cloudtrail").create_trail(
        Name=name, TagsList=build_tag_list(inputs), **select_inputs(inputs, **_TRAIL)
    )["TrailARN"]
    _configure_trail(aws, inputs)
    return CreatedResource(name, {"arn": arn, "homeRegion": aws.region})


def update_trail(aws: Aws, inputs: Inputs) -> None:
    """Update a trail, but not its tags."""
    aws.client("cloudtrail").update_trail(Name=inputs["name"], **{"KmsKeyId": "", **select_inputs(inputs, **_TRAIL)})
    _configure_trail(aws, inputs)


def _configure_trail(aws: Aws, inputs: Inputs) -> None:
    cloudtrail, name = aws.client("cloudtrail"), inputs["name"]
    if selectors := inputs.get("eventSelectors"):
        cloudtrail.put_event_selectors(TrailName=name, EventSelectors=to_api_case(selectors))
    if inputs.get("enableLogging", True):
        cloudtrail.start_logging(Name=name)
    else:
        cloudtrail.stop_logging(Name=name)


def _delete_trail(aws: Aws, trail: CreatedResource) -> None:
    aws.client("cloudtrail").delete_trail(Name=trail.id)


def _list_trails(aws: Aws) -> Iterable[str]:
    pages = aws.client("cloudtrail").get_paginator("list_trails").paginate()
    return (trail["Name"] for page in pages for trail in page["Trails"])


ENTRIES = (
    Entry(
        "aws:s3/bucket:Bucket",
        supported_inputs("bucket", "bucketPrefix", "forceDestroy", "tags"),
        _create_bucket,
        _delete_bucket,
        name_input="bucket",
        prefix_input="bucketPrefix",
        list_names=_list_buckets,
    ),
    Entry(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        supported_inputs("bucket", "blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"),
        _bucket_part(_put_access_block),
    ),
    Entry(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        supported_inputs(
            "bucket",
            "rules.applyServerSideEncryptionByDefault.sseAlgorithm",
            "rules.applyServerSideEncryptionByDefault.kmsMasterKeyId",
            "rules.bucketKeyEnabled",
        ),
        _bucket_part(_put_encryption),
    ),
    Entry(
        "aws:s3/bucketVersioning:BucketVersioning",
        supported_inputs("bucket", "versioningConfiguration.status"),
        _bucket_part(_put_versioning),
    ),
    Entry(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        supported_inputs(
            "bucket",
            "rules.id",
            "rules.status",
            "rules.filter",
            "rules.expiration.days",
            "rules.noncurrentVersionExpiration.noncurrentDays",
            "rules.abortIncompleteMultipartUpload.daysAfterInitiation",
        ),
        _bucket_part(_put_lifecycle),
    ),
    Entry(
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        supported_inputs("bucket", "rule.defaultRetention.mode", "rule.defaultRetention.days"),
        _bucket_part(_put_object_lock),
    ),
    Entry("aws:s3/bucketPolicy:BucketPolicy", supported_inputs("bucket", "policy"), _bucket_part(_put_policy)),
    Entry(
        "aws:cloudtrail/trail:Trail",
        supported_inputs(
            "name",
            *_TRAIL.values(),
            "enableLogging",
            "eventSelectors.readWriteType",
            "eventSelectors.includeManagementEvents",
            "tags",
        ),
        _create_trail,
        _delete_trail,
        name_input="name",
        list_names=_list_trails,
    ),
)
