"""Functions with the same code share its folder, and no others do."""

import io
import json
import zipfile

import pytest

from local.aws import Aws

CODE = """
from pathlib import Path


def handler(event, context):
    return {{"says": "{text}", "folder": str(Path(__file__).resolve().parent)}}
"""


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("says.py"), CODE.format(text=text))
    return buffer.getvalue()


@pytest.fixture(scope="module")
def answers(aws: Aws) -> list[dict[str, str]]:
    """What two functions with the same code return, and what the second returns with other code."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = aws.client("iam").create_role(RoleName="says", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions = aws.client("lambda")

    def invoke(name: str) -> dict[str, str]:
        return json.loads(functions.invoke(FunctionName=name)["Payload"].read())

    for name in ("says-first", "says-second"):
        code = {"ZipFile": zipped("one")}
        functions.create_function(
            FunctionName=name, Runtime="python3.13", Handler="says.handler", Role=role, Code=code, Timeout=30
        )
    same = [invoke("says-first"), invoke("says-second")]
    functions.update_function_code(FunctionName="says-second", ZipFile=zipped("two"))
    return [*same, invoke("says-second"), invoke("says-first")]


def test_functions_with_the_same_code_share_its_folder(answers):
    first, second, _, _ = answers
    assert first == second


def test_new_code_replaces_the_old_in_its_own_function_only(answers):
    _, _, changed, first = answers
    assert [changed["says"], first["says"]] == ["two", "one"]
    assert changed["folder"] != first["folder"]
