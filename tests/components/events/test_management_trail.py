"""The trail of an account that has none: what it records, who may reach its bucket, how long log files are kept."""

import re

import pytest

from components.bucket import name_bucket_prefix
from components.events.management_trail import BUCKET_PREFIX, ManagementTrail
from local.check_own_stack import read_resources
from policies.model.evaluation import check

QUEUE = "arn:aws:sqs:eu-west-1:111122223333:events"
BUCKET = "aws:s3/bucket:Bucket"
TRAIL = "aws:cloudtrail/trail:Trail"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/7d0e"


@pytest.fixture
def make_trail(deploy):
    return lambda name="trail", **settings: deploy(ManagementTrail, name, {"regional_arn": QUEUE, **settings})


def test_the_trail_logs_write_management_events_of_its_region(make_trail):
    """A second copy of management events is charged, so that a stack records no other Region
    (https://aws.amazon.com/cloudtrail/pricing/); rotation events are not read-only
    (https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html)."""
    [trail] = make_trail().of_type(TRAIL)

    assert trail.inputs["eventSelectors"] == [{"readWriteType": "WriteOnly", "includeManagementEvents": True}]
    assert trail.inputs["enableLogging"] is True
    assert trail.inputs["enableLogFileValidation"] is True
    assert trail.inputs["isMultiRegionTrail"] is trail.inputs["includeGlobalServiceEvents"] is False


def test_only_this_trail_may_write_to_its_bucket_and_nobody_without_tls(make_trail):
    """The statements of https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-s3-bucket-policy-for-cloudtrail.html."""
    recording = make_trail()
    [policy], [trail] = recording.of_type(POLICY), recording.of_type(TRAIL)
    name = trail.inputs["name"]
    bucket, source = (
        f"arn:aws:s3:::{name}",
        {"aws:SourceArn": f"arn:aws:cloudtrail:eu-west-1:111122223333:trail/{name}"},
    )

    assert trail.inputs["s3BucketName"] == name
    assert trail.arn == source["aws:SourceArn"]
    assert policy.policy() == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "s3:GetBucketAcl",
            "Resource": bucket,
            "Condition": {"StringEquals": source},
        },
        {
            "Effect": "Allow",
            "Principal": {"Service": "cloudtrail.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": f"{bucket}/AWSLogs/111122223333/*",
            "Condition": {"StringEquals": {**source, "s3:x-amz-acl": "bucket-owner-full-control"}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, f"{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    assert policy.urn in trail.depends_on


def test_the_bucket_is_private_versioned_and_encrypted(make_trail):
    recording = make_trail()

    [block] = recording.of_type("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    [versioning] = recording.of_type("aws:s3/bucketVersioning:BucketVersioning")
    [encryption] = recording.of_type(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    assert [block.inputs[key] for key in block.inputs if key != "bucket"] == [True] * 4
    assert versioning.inputs["versioningConfiguration"] == {"status": "Enabled"}
    assert encryption.inputs["rules"] == [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]


@pytest.mark.parametrize("key", [None, KEY])
def test_cloudtrail_encrypts_with_the_customer_key(make_trail, key):
    [trail] = make_trail(**({"kms_key_arn": key} if key else {})).of_type(TRAIL)

    assert trail.inputs.get("kmsKeyId") == key


@pytest.mark.parametrize("days", [0, 400])
def test_log_files_expire_as_the_rest_of_the_history(make_trail, days):
    [lifecycle] = make_trail(history_days=days).of_type(LIFECYCLE)

    uploads, *history = lifecycle.inputs["rules"]
    assert uploads["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
    # An empty filter takes in every object (https://www.pulumi.com/registry/packages/aws/api-docs/s3/bucketlifecycleconfiguration/).
    assert all((rule["status"], rule["filter"]) == ("Enabled", {}) for rule in lifecycle.inputs["rules"])
    assert [rule["expiration"] for rule in history] == ([{"days": days}] if days else [])
    assert [rule["noncurrentVersionExpiration"] for rule in history] == ([{"noncurrentDays": 30}] if days else [])


@pytest.mark.parametrize("protected", [True, False])
def test_a_bucket_with_log_files_is_deleted_only_without_deletion_protection(make_trail, protected):
    [bucket] = make_trail(deletion_protection=protected).of_type(BUCKET)

    assert bucket.inputs["forceDestroy"] is not protected


@pytest.mark.parametrize(
    "name", ["trail", "Rotation_Guard", "__", "a--b", "-x-", "x" * 200, "a" * 25 + "_b", "sthree-x", "9"]
)
def test_bucket_and_trail_have_names_that_s3_and_cloudtrail_accept(make_trail, name):
    """(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html,
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-trail-naming-requirements.html)"""
    recording = make_trail(name)
    [bucket], [trail] = recording.of_type(BUCKET), recording.of_type(TRAIL)

    prefix = bucket.inputs["bucketPrefix"]
    # The provider takes 37 characters and adds 26 digits.
    assert len(prefix) <= 37
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", f"{prefix}{'0' * 26}")
    assert not prefix.startswith(("xn--", "sthree-", "amzn-s3-demo-"))
    assert trail.inputs["name"] == bucket.outputs["bucket"]


def test_the_name_of_the_bucket_begins_with_that_of_the_component():
    assert name_bucket_prefix(BUCKET_PREFIX, "Rotation_Guard") == "cloudtrail-rotation-guard-"


def test_no_policy_complains_about_the_trail(make_trail):
    report = check(read_resources(make_trail(kms_key_arn=KEY)))

    assert report.mandatory == ()


def test_the_stack_places_a_trail_only_where_it_is_asked_for(guard):
    without, with_trail = guard(), guard(create_trail=True, history_days=7, tags={"team": "platform"})

    [bucket], [trail] = with_trail.of_type(BUCKET), with_trail.of_type(TRAIL)
    assert without.of_type(BUCKET) == without.of_type(TRAIL) == []
    assert "trail_arn" not in without.outputs
    assert with_trail.outputs["trail_arn"] == trail.arn
    assert bucket.inputs["tags"] == trail.inputs["tags"] == {"team": "platform"}
    assert [rule.get("expiration") for rule in with_trail.of_type(LIFECYCLE)[0].inputs["rules"]] == [None, {"days": 7}]
