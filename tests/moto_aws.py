"""moto's AWS for one test, without two costs that no test here needs.

`mock_aws` also intercepts the library `requests`, which nothing here uses, and registers 1,300 addresses for it. And
moto validates an update expression anew for each of its parts, which the whole includes. Together they are about a
tenth of the processor time of the tests with an account.
"""

from collections.abc import Generator
from contextlib import contextmanager

from moto.core.base_backend import BackendDict
from moto.core.models import botocore_stubber, reset_model_data
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator

ActionCountValidator.traverse = ActionCountValidator.verify_action_counts  # ty: ignore[invalid-assignment]
OverlappingPathsValidator.traverse = OverlappingPathsValidator.check_for_overlapping_paths  # ty: ignore[invalid-assignment]


@contextmanager
def empty_account() -> Generator[None]:
    """An empty AWS account that answers every client of boto3 until the end of the block."""
    BackendDict.reset()
    botocore_stubber.enabled = True
    try:
        yield
    finally:
        botocore_stubber.enabled = False
        BackendDict.reset()
        reset_model_data()
