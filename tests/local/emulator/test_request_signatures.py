"""The embedded AWS accepts requests with a key of this run only."""

import contextlib
import http.client
import io
import json
import zipfile

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local.aws import Aws
from local.emulator.process import ACCOUNT_ID
from tests.local.conftest import REGION

INVALID_KEYS = (
    ("test", "test"),
    ("test", None),
    (ACCOUNT_ID, "test"),
    ("000000000000", "test"),
    ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    (None, "test"),
    (None, "0" * 40),
)
"""Keys that another user of this machine may try; None stands for the correct value."""
CALLS = (
    ("lambda", "list_functions", {}),
    ("secretsmanager", "list_secrets", {}),
    ("secretsmanager", "get_secret_value", {"SecretId": "any"}),
    ("sqs", "list_queues", {}),
    ("sns", "list_topics", {}),
    ("events", "list_rules", {}),
    ("dynamodb", "list_tables", {}),
    ("ssm", "put_parameter", {"Name": "/a", "Value": "go", "Type": "String"}),
    ("iam", "create_access_key", {"UserName": "any"}),
    ("iam", "list_roles", {}),
    ("sts", "get_caller_identity", {}),
    ("sts", "get_session_token", {}),
    ("logs", "describe_log_groups", {}),
    ("stepfunctions", "list_state_machines", {}),
    ("scheduler", "list_schedules", {}),
    ("cloudwatch", "describe_alarms", {}),
    ("ecs", "list_clusters", {}),
    ("s3", "list_buckets", {}),
)
REFUSALS = {
    "AccessDenied",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "403",
}


@pytest.fixture(scope="module")
def aws_with_keys(emulator):
    """Clients of a user with these keys: each service has one client, which signs with the latest keys."""
    aws = Aws(emulator.endpoint_url, REGION, ACCOUNT_ID, "", "")
    credentials = Credentials("none", "none")
    aws._session._session._credentials = credentials

    def enter(access_key_id, secret_access_key):
        credentials.access_key = access_key_id or emulator.access_key_id
        credentials.secret_key = secret_access_key or emulator.secret_access_key
        return aws

    return enter


@pytest.mark.parametrize(
    ("service", "operation", "parameters"), CALLS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_no_service_accepts_a_key_of_another_run(aws_with_keys, service, operation, parameters):
    for keys in INVALID_KEYS:
        with pytest.raises(ClientError) as refused:
            getattr(aws_with_keys(*keys).client(service), operation)(**parameters)
        assert refused.value.response["Error"]["Code"] in REFUSALS, keys


def test_a_key_of_another_run_cannot_run_code(aws_with_keys, aws):
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("evil.py", "def handler(event, context): return 'run'")
    function = {
        "FunctionName": "evil",
        "Runtime": "python3.13",
        "Handler": "evil.handler",
        "Role": f"arn:aws:iam::{ACCOUNT_ID}:role/any",
        "Code": {"ZipFile": code.getvalue()},
    }
    for keys in INVALID_KEYS:
        with pytest.raises(ClientError):
            aws_with_keys(*keys).client("lambda").create_function(**function)
    assert "evil" not in [function["FunctionName"] for function in aws.client("lambda").list_functions()["Functions"]]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/_ministack/sqs/messages"),
        ("GET", "/_ministack/ses/messages"),
        ("POST", "/_ministack/config"),
        ("POST", "/_ministack/reset"),
        ("GET", "/_ministack/lambda-code/any"),
        ("GET", "/_ministack/ready"),
        ("POST", "/_ministack/health"),
        ("GET", "/_localstack/health"),
        ("POST", "/2015-03-31/functions"),
        ("GET", "/"),
        ("POST", "/"),
        ("PUT", "/bucket"),
        ("GET", "/?X-Amz-Credential=test/20260101/eu-west-1/s3/aws4_request&X-Amz-Algorithm=AWS4-HMAC-SHA256"),
        ("GET", "/?AWSAccessKeyId=test&Action=ListQueues"),
        ("POST", "/_aws/lambda-url/any/"),
        ("POST", "/_ministack/rds/iam-auth"),
    ],
)
def test_no_path_accepts_a_request_without_a_key(emulator, method, path):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)) as connection:
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        refusal = json.loads(answer.read())

    assert (answer.status, refusal["__type"]) == (403, "UnrecognizedClientException")


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/_ministack/reset"), ("POST", "/_ministack/config"), ("GET", "/_localstack/health")]
)
def test_a_key_id_alone_opens_no_path_that_verifies_no_signature(emulator, method, path):
    credential = f"{emulator.access_key_id}/20260101/eu-west-1/sts/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)) as connection:
        connection.request(method, path, headers=headers)

        assert connection.getresponse().status == 403


def test_the_health_check_is_public(emulator):
    assert emulator.is_ready()


def test_the_correct_key_is_the_root_user(aws):
    assert aws.client("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT_ID}:root"


def test_the_key_of_a_role_needs_its_own_signature(aws, emulator):
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="operator", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    keys = aws.client("sts").assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]

    guessed = Aws(emulator.endpoint_url, REGION, ACCOUNT_ID, keys["AccessKeyId"], "test")
    with pytest.raises(ClientError):
        guessed.client("sts").get_caller_identity()


def test_files_are_readable_by_their_owner_only(emulator):
    assert emulator.folder.stat().st_mode & 0o777 == 0o700
    assert (emulator.folder / "process.json").stat().st_mode & 0o777 == 0o600
    assert emulator.secret_access_key not in repr(emulator)


def test_each_run_has_a_key_of_its_own(emulator, tmp_path_factory):
    from local.emulator.process import _generate_access_key_id

    ids = {_generate_access_key_id() for _ in range(50)}
    assert len(ids) == 50
    assert emulator.access_key_id not in ids
    assert len(emulator.secret_access_key) == 40
