"""The error type of a failed function is the class of its error, as on AWS."""

import traceback

import pytest
from botocore.exceptions import ClientError

from local.emulator.lambda_service import set_error_type

DENIED = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "GetParameter")


class LostRace(RuntimeError):
    """An error class of a module."""


def run(error):
    """Return MiniStack's result for a handler that raises this error, with Python's traceback in the log."""
    try:
        raise error
    except type(error) as raised:
        body = {"errorMessage": str(raised), "errorType": "Runtime.HandlerError"}
        return {"body": body, "error": True, "log": f"START\n{traceback.format_exc()}"}


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ValueError("no: such thing"), "ValueError"),
        (KeyError("key"), "KeyError"),
        (DENIED, "ClientError"),
        (LostRace("first line\nsecond line"), "LostRace"),
        (LostRace(), "LostRace"),
    ],
)
def test_an_error_has_the_name_of_its_class(error, name):
    named = set_error_type(run(error))

    assert named["body"] == {"errorMessage": str(error), "errorType": name}
    assert named["error"]


@pytest.mark.parametrize(
    "result",
    [
        {"body": {"works": True}},
        {"body": None},
        {"body": {"errorMessage": "Task timed out after 3.00 seconds", "errorType": "Sandbox.Timedout"}, "error": True},
        {"body": {"errorMessage": "gone", "errorType": "Runtime.HandlerError"}, "error": True, "log": ""},
    ],
)
def test_other_results_are_unchanged(result):
    assert set_error_type(result) == result
