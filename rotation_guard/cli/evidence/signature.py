"""The signature of a manifest by a key of KMS, which nobody without `kms:Sign` on it can make.

KMS signs a digest, so a manifest may have any size
(https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
"""

import base64
import hashlib
import json
import textwrap
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rotation_guard.domain.timestamps import to_iso

from ..aws import AwsSession, translate_aws_errors
from ..errors import UsageError
from ..terminal import progress
from .manifest import MANIFEST, PUBLIC_KEY, SIGNATURE, SIGNATURE_INFO

_ALGORITHMS = ("ECDSA_SHA_256", "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PSS_SHA_256")
"""Those with SHA-256, first the ones that `openssl dgst -verify` checks without more options."""
_INVALID = "KMSInvalidSignatureException"
_UNUSABLE = ("InvalidKeyUsageException", "UnsupportedOperationException")


def sign(session: AwsSession, key_id: str, manifest: bytes, now: datetime) -> dict[str, bytes]:
    """The files of a signature of this manifest by this key: an id, an alias or an ARN. Raises CommandError.

    Needs kms:GetPublicKey and kms:Sign.
    """
    kms = session.client("kms")
    progress.update("Signing the manifest")
    with translate_aws_errors(session, f"Key {key_id}"):
        try:
            public = kms.get_public_key(KeyId=key_id)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _UNUSABLE:
                raise
            raise UsageError(f"--sign-with must be an asymmetric key of KMS that signs, got {key_id}.") from None
        offered = public.get("SigningAlgorithms") or ()
        algorithm = next((one for one in _ALGORITHMS if one in offered), None)
        if algorithm is None:
            raise UsageError(
                f"--sign-with must be a key that signs with one of {', '.join(_ALGORITHMS)}, got {key_id}, which has "
                f"{', '.join(offered) or 'none'}."
            )
        answer = kms.sign(
            KeyId=public["KeyId"],
            Message=hashlib.sha256(manifest).digest(),
            MessageType="DIGEST",
            SigningAlgorithm=algorithm,
        )
    info = {"key_arn": answer["KeyId"], "algorithm": algorithm, "signed_at": to_iso(now), "signs": MANIFEST}
    return {
        SIGNATURE: answer["Signature"],
        SIGNATURE_INFO: (json.dumps(info, indent=2) + "\n").encode(),
        PUBLIC_KEY: _to_pem(public["PublicKey"]),
    }


def read_signature(directory: Path) -> Mapping[str, Any] | None:
    """What a signature says about itself, with its bytes as `signature`; None without one. Raises UsageError."""
    try:
        signature = (directory / SIGNATURE).read_bytes()
        info = json.loads((directory / SIGNATURE_INFO).read_bytes())
        named = {name: str(info[name]) for name in ("key_arn", "algorithm", "signed_at")}
    except FileNotFoundError:
        has_parts = any((directory / name).exists() for name in (SIGNATURE, SIGNATURE_INFO))
        if not has_parts:
            return None
        raise UsageError(f"DIR must have both {SIGNATURE} and {SIGNATURE_INFO}, or neither, got {directory}.") from None
    except OSError as error:
        raise UsageError(f"DIR must have a readable {SIGNATURE}, got {directory}: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UsageError(f"DIR must have a {SIGNATURE_INFO} of `report --evidence`, got {directory}.") from None
    return {**named, "signature": signature}


def is_signed(session: AwsSession, info: Mapping[str, Any], manifest: bytes) -> bool:
    """Whether KMS says that this key signed this manifest. Needs kms:Verify. Raises CommandError."""
    kms = session.client("kms")
    progress.update("Verifying the signature")
    with translate_aws_errors(session, f"Key {info['key_arn']}"):
        try:
            answer = kms.verify(
                KeyId=info["key_arn"],
                Message=hashlib.sha256(manifest).digest(),
                MessageType="DIGEST",
                Signature=info["signature"],
                SigningAlgorithm=info["algorithm"],
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != _INVALID:
                raise
            return False
    return bool(answer.get("SignatureValid"))


def _to_pem(der: bytes) -> bytes:
    """The public key as OpenSSL reads it."""
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", "")).encode()
