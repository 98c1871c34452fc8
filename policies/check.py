"""Holds a file to the rules, without credentials and without the engine.

    python -m policies.check FILE [--format text|json|sarif|junit] [--config FILE]

FILE is the output of `pulumi stack export` or of `pulumi preview --json`; `-` reads it from standard input. Ends with
0 when nothing mandatory was found, 1 when something was, 2 when the file or the configuration is wrong.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from . import state_files
from .configuration import InvalidConfiguration
from .evaluation import Report
from .evaluation import check as evaluate
from .formats import FORMATS
from .state_files import NotAnExport

FINE, COMPLAINED, WRONG = 0, 1, 2


class _Wrong(Exception):
    """What was given cannot be checked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Check, write the report to standard output, and answer the exit code."""
    given = _parser().parse_args(arguments)
    checked = "stdin" if given.file == "-" else given.file
    try:
        report = _checked(given.file, _configuration(given.config))
    except (_Wrong, NotAnExport, InvalidConfiguration) as problem:
        about = given.config if isinstance(problem, InvalidConfiguration) else checked
        sys.stderr.write(f"{about}: {problem}\n" if not isinstance(problem, _Wrong) else f"{problem}\n")
        return WRONG
    for note in report.notes:
        sys.stderr.write(f"{checked}: {note}\n")
    sys.stdout.write(FORMATS[given.format](report, checked))
    return COMPLAINED if report.mandatory else FINE


def _checked(file: str, config: dict[str, Any]) -> Report:
    contents = state_files.read(_bytes(file))
    report = evaluate(contents.resources, config, whole=not contents.missing)
    if not contents.missing:
        return report
    note = (
        f"{contents.missing} unchanged resources are not in this preview, so only the rules about single resources "
        "were applied: make it with `pulumi preview --json --show-sames`, or check `pulumi stack export`."
    )
    return replace(report, notes=(note,))


def _configuration(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return json.loads(_bytes(file))
    except (ValueError, RecursionError) as problem:
        raise _Wrong(f"{file}: The configuration is not JSON: {problem}.") from problem


def _bytes(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as problem:
        raise _Wrong(f"{file}: The file cannot be read: {problem.strerror}.") from problem


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="policies.check", description="Holds a Pulumi stack in a file to the rules.")
    parser.add_argument("file", metavar="FILE", help="of `pulumi stack export` or `pulumi preview --json`; - for stdin")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to report; text unless given")
    parser.add_argument("--config", metavar="FILE", help="the pack's configuration, as CrossGuard's own")
    return parser


if __name__ == "__main__":
    sys.exit(main())
