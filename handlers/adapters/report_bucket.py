"""Stores reports in the S3 bucket."""

from typing import IO

from botocore.exceptions import ClientError

from .clients import client

ACTIONS = frozenset({"s3:PutObject"})
_EXISTS = "PreconditionFailed"


class ReportBucket:
    """The bucket of this name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def store(self, key: str, body: bytes | IO[bytes], content_type: str) -> bool:
        """Store a file, unless there is one with this key. Whether it was stored.

        A report is stored again when its function is retried, and a version under Object Lock could not be deleted
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). A bucket with a default
        retention requires a checksum (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).
        """
        try:
            client("s3").put_object(
                Bucket=self._name,
                Key=key,
                Body=body,
                ContentType=content_type,
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _EXISTS:
                return False
            raise
        return True
