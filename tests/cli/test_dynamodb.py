"""Rows of DynamoDB as commands read them: also where another server answers."""

import pytest

from rotation_guard.cli.dynamodb import _keep_raw_rows


@pytest.mark.parametrize("body", [b"<html>Login</html>", b"", b"[]", b"null", b"\xff"])
def test_what_is_no_answer_of_dynamodb_is_left_to_botocore(body):
    response, customized = {"status_code": 200, "body": body}, {}

    _keep_raw_rows(response, customized)

    assert (response["body"], customized) == (body, {})
