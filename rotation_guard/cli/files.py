"""JSON that an operator hands in: a file, or standard input."""

import json
import sys
from pathlib import Path
from typing import Any, NoReturn

from .problems import Misused


def read_json(option: str, name: str) -> Any:
    """What a file holds; `-` is standard input."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise Misused(f"{option} must be a file that can be read, got {name}: {error.strerror}.") from None
    try:
        return json.loads(_text(content), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        what = "standard input" if name == "-" else name
        raise Misused(f"{option} must be JSON, got {what}: {_explain(error)}.") from None


def _explain(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, json.JSONDecodeError) and error.msg == "Extra data":
        return f"line {error.lineno} begins a second document, and it must be one; `jq -s .` makes a list of several"
    if isinstance(error, json.JSONDecodeError) and not error.doc.strip():
        return "it is empty"
    return str(error)


def _text(content: bytes) -> str:
    """As text: PowerShell's `>` writes UTF-16."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def _refused(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
