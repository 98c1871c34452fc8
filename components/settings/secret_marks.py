"""Which parts of a setting the stack's own file marks as secret: the engine reports only whole keys as secret.

`pulumi config set --secret --path 'subscriptions[1].endpoint'` writes `secure: <ciphertext>` there into
Pulumi.<stack>.yaml; the engine decrypts it and says that `subscriptions` holds a secret, not where
(https://www.pulumi.com/docs/iac/concepts/config/).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import yaml

_SECURE = "secure"


def find_marks(key: str, value: Any) -> Callable[..., bool]:
    """Whether the part of this setting at a path, such as `(0, "endpoint")`, is secret or has secret parts.

    `key` has its namespace, as in `rotation-guard:subscriptions`; `value` is the setting as the engine decrypted it.
    All of it is secret where the file cannot be read or does not say the same, as with values from an environment.
    """
    written = _read(key)
    if not _agrees(written, value) or not _has_mark(written):
        return lambda *_: True

    def is_marked(*path: str | int) -> bool:
        part = written
        for step in path:
            if _is_mark(part):
                return True
            part = part[step]
        return _has_mark(part)

    return is_marked


def _read(key: str) -> Any:
    root = Path(pulumi.get_root_directory() or ".")
    # Only the CLI's language host says where the root is; elsewhere the SDK answers with a folder that is not there.
    file = (root if root.is_dir() else Path()) / f"Pulumi.{pulumi.get_stack()}.yaml"
    try:
        config = (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("config") or {}
        # The project's own keys may be written without its name.
        return config.get(key, config.get(key.partition(":")[2]))
    except (OSError, ValueError, AttributeError, RecursionError, yaml.YAMLError):
        return None


def _is_mark(part: Any) -> bool:
    return isinstance(part, dict) and list(part) == [_SECURE] and isinstance(part[_SECURE], str)


def _has_mark(part: Any) -> bool:
    parts = part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()
    return _is_mark(part) or any(_has_mark(inner) for inner in parts)


def _agrees(written: Any, value: Any) -> bool:
    """Whether the file says the same, as far as it can be read."""
    if _is_mark(written):
        return True
    if isinstance(written, dict) and isinstance(value, dict):
        return written.keys() == value.keys() and all(_agrees(written[key], value[key]) for key in written)
    if isinstance(written, list) and isinstance(value, list):
        return len(written) == len(value) and all(map(_agrees, written, value))
    return type(written) is type(value) and written == value
