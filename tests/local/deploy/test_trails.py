"""A trail in the embedded AWS: as it was asked for, updated in place, and deleted with what its bucket holds."""

from local.deploy import program as pulumi_program
from local.deploy.resources import TABLE
from local.deploy.resources.entry import CreatedResource
from local.deploy.resources.updates import UPDATES
from local.deploy.stacks import read_stack

TRAIL = "aws:cloudtrail/trail:Trail"
BODY = """
from components.events.management_trail import ManagementTrail

trail = ManagementTrail(
    "Audit_Trail", {"regional_arn": sqs.Queue("events").arn, "history_days": 7, "tags": {"team": "platform"}}
)
pulumi.export("trail", trail.trail_name)
pulumi.export("bucket", trail.bucket_name)
"""


def test_a_trail_logs_into_a_bucket_of_its_own_until_both_are_deleted(aws, program):
    deployed = pulumi_program.run(read_stack("dev", root=program(BODY)), aws)
    name, s3, cloudtrail = deployed.outputs["trail"], aws.client("s3"), aws.client("cloudtrail")

    assert name == deployed.outputs["bucket"]
    trail = cloudtrail.get_trail(Name=name)["Trail"]
    assert (trail["S3BucketName"], trail["LogFileValidationEnabled"], trail["IsMultiRegionTrail"]) == (
        name,
        True,
        False,
    )
    assert cloudtrail.get_trail_status(Name=name)["IsLogging"]
    [selector] = cloudtrail.get_event_selectors(TrailName=name)["EventSelectors"]
    assert (selector["ReadWriteType"], selector["IncludeManagementEvents"]) == ("WriteOnly", True)
    assert trail["TrailARN"] in s3.get_bucket_policy(Bucket=name)["Policy"]
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert [rule.get("Expiration") for rule in rules] == [None, {"Days": 7}]
    assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "team", "Value": "platform"}]

    s3.put_object(Bucket=name, Key="AWSLogs/log.json.gz", Body=b"{}")
    s3.delete_object(Bucket=name, Key="AWSLogs/log.json.gz")
    for resource in reversed(deployed.resources):
        resource.delete(aws)

    assert name not in list(TABLE[TRAIL].list_names(aws))
    assert name not in list(TABLE["aws:s3/bucket:Bucket"].list_names(aws))


def test_a_trail_is_updated_in_place(aws, program):
    deployed = pulumi_program.run(read_stack("dev", root=program(BODY)), aws)
    name, cloudtrail = deployed.outputs["trail"], aws.client("cloudtrail")
    arn = cloudtrail.get_trail(Name=name)["Trail"]["TrailARN"]
    before = {"name": name, "s3BucketName": name, "enableLogFileValidation": True, "tags": {"team": "platform"}}
    after = {**before, "enableLogFileValidation": False, "enableLogging": False, "tags": {"stage": "prod"}}

    UPDATES[TRAIL](aws, CreatedResource(name, {"arn": arn}), before, after)

    assert not cloudtrail.get_trail(Name=name)["Trail"]["LogFileValidationEnabled"]
    assert not cloudtrail.get_trail_status(Name=name)["IsLogging"]
    [tags] = cloudtrail.list_tags(ResourceIdList=[arn])["ResourceTagList"]
    assert tags["TagsList"] == [{"Key": "stage", "Value": "prod"}]
    for resource in reversed(deployed.resources):
        resource.delete(aws)
