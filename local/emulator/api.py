"""Calls actions that only the embedded AWS has: they simulate what AWS does by itself, or did in the past."""

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ..aws import Aws


def call_action(aws: Aws, action: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Call an action that boto3 does not know, such as `RotationGuardSeed`, and return its response."""
    body = json.dumps(request)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"secretsmanager.{action}"}
    call = AWSRequest("POST", aws.endpoint_url, data=body, headers=headers)
    credentials = Credentials(aws.access_key_id, aws.secret_access_key)
    SigV4Auth(credentials, "secretsmanager", aws.region).add_auth(call)
    prepared = call.prepare()
    sent = urllib.request.Request(  # noqa: S310 - the address of the embedded AWS, on this machine
        prepared.url, data=body.encode(), headers=dict(prepared.headers.items()), method="POST"
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(sent, timeout=60) as answer:
        return json.loads(answer.read())
