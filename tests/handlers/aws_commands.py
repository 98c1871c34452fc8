"""Which options a command of the AWS CLI has: made of AWS's own service models, as the CLI makes them.

(https://docs.aws.amazon.com/cli/latest/reference/). Version 1 also takes options that are abbreviated, which should
not be printed.
"""

from collections.abc import Sequence

import botocore.session
from botocore import xform_name

GLOBAL = {"--cli-read-timeout", "--region", "--query", "--output", "--max-items"}
"""Options of every command, and of every command with pages
(https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-pagination.html)."""
_SESSION = botocore.session.get_session()


def check_command(words: Sequence[str]) -> None:
    """Raises AssertionError for an operation, or an option, that does not exist, and for one that is missing."""
    assert words[0] == "aws", words
    service, operation, options_in_use = words[1], words[2], {word for word in words[3:] if word.startswith("--")}
    # The CLI calls S3's own operations so; `aws s3` is a program of its own.
    service = {"s3api": "s3"}.get(service, service)
    assert service in _SESSION.get_available_services(), words
    model = _SESSION.get_service_model(service)
    operations = {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}
    assert operation in operations, words
    shape = operations[operation].input_shape
    options = {f"--{xform_name(name, '-')}" for name in shape.members} if shape else set()
    flags = {f"--no-{xform_name(name, '-')}" for name, member in shape.members.items() if member.type_name == "boolean"}
    assert options_in_use <= options | flags | GLOBAL, words
    assert {f"--{xform_name(name, '-')}" for name in shape.required_members} <= options_in_use, words
