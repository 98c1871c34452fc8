"""Checks a file against the rules, without credentials and without the engine.

    python -m policies.check FILE [--format text|json|sarif] [--config FILE] [--fail-on-unjudged]

FILE is the output of `pulumi stack export` or of `pulumi preview --json`, also streamed, the events of an update, or
the file of a file backend; `-` reads it from standard input. Ends with 0 when nothing mandatory was found, 1 when
something was, 2 when the file or the configuration is wrong, or is of a preview that failed. With --fail-on-unjudged
resources that no rule judges are mandatory complaints, and so are those that the file leaves out.
"""

import argparse
import gc
import io
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

FINE, COMPLAINED, WRONG = 0, 1, 2

try:
    from .inputs import state_files
    from .inputs.state_files import Contents, NotAnExport
    from .model import unjudged
    from .model.configuration import InvalidConfiguration
    from .model.evaluation import Report, failed_report
    from .model.evaluation import check as evaluate
    from .reports.formats import FORMATS, escape_unprintable
except ModuleNotFoundError as missing:
    if __name__ != "__main__":
        raise
    sys.stderr.write(
        f"The policy pack needs the Python package {missing.name}, which is not installed: run `{sys.executable} -m "
        f"pip install -r {Path(__file__).resolve().with_name('requirements.txt')}`.\n"
    )
    sys.exit(WRONG)


class _Wrong(Exception):
    """What was given cannot be checked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Check, write the report to standard output, and answer the exit code."""
    given = _parser().parse_args(arguments)
    checked = "stdin" if given.file == "-" else given.file
    try:
        contents = state_files.read(_bytes(given.file))
        report = _judge(contents, _configuration(given.config), given.fail_on_unjudged)
    except (_Wrong, NotAnExport, InvalidConfiguration) as problem:
        about = given.config if isinstance(problem, InvalidConfiguration) else checked
        sentence = str(problem) if isinstance(problem, _Wrong) else f"{about}: {problem}"
        _tell(sentence)
        if given.format != "text":
            _write(FORMATS[given.format](failed_report(sentence), checked))
        return WRONG
    for note in (report.failure, *report.notes):
        if note:
            _tell(f"{checked}: {note}")
    _write(FORMATS[given.format](report, checked))
    if report.mandatory or (given.fail_on_unjudged and (contents.missing or contents.pending)):
        return COMPLAINED
    # What failed has not been seen whole, so that it cannot be fine.
    return WRONG if report.failure else FINE


def _judge(contents: Contents, config: Any, fail_on_unjudged: bool) -> Report:
    if fail_on_unjudged and isinstance(config, dict):
        config = {**config, unjudged.NAME: "mandatory"}
    is_whole = not (contents.failure or contents.missing)
    report = evaluate(contents.resources, config, whole=is_whole)
    return replace(report, failure=_describe_failure(contents), notes=tuple(_list_notes(contents)))


_SINGLE = "only the rules about single resources were applied"


def _describe_failure(contents: Contents) -> str | None:
    if not contents.failure:
        return None
    return f"The {contents.operation} failed before it had seen the whole stack, so {_SINGLE}: {contents.failure}"


def _list_notes(contents: Contents) -> Iterator[str]:
    """What the file does not tell."""
    if contents.missing:
        yield (
            f"{contents.missing} unchanged resources are not in this preview, so {_SINGLE}: create it with "
            "`pulumi preview --json --show-sames`, or check `pulumi stack export`."
        )
    if contents.pending:
        yield (
            f"The last update was interrupted while it created resources, of which {contents.pending} may exist and "
            "cannot be judged: run `pulumi refresh` first."
        )


def _configuration(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        # An empty file configures nothing, as in CrossGuard.
        return json.loads(_bytes(file).strip() or b"{}")
    except (ValueError, RecursionError) as problem:
        raise _Wrong(f"{file}: The configuration is not JSON: {problem}.") from problem


def _bytes(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as problem:
        raise _Wrong(f"{file}: The file cannot be read: {problem.strerror}.") from problem


def _tell(sentence: str) -> None:
    sys.stderr.write(f"{escape_unprintable(sentence)}\n")


def _write(report: str) -> None:
    """Write it out, whatever the terminal can show, and also to a reader that leaves early."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(report)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """End with the sentence on standard error, without the control characters of an argument."""
        super().error(escape_unprintable(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="policies.check", description="Checks a Pulumi stack in a file against the rules.")
    parser.add_argument(
        "file", metavar="FILE", help="output of `pulumi stack export` or `pulumi preview --json`; - for stdin"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="report format (default: text)")
    parser.add_argument("--config", metavar="FILE", help="the pack's configuration, in CrossGuard's format")
    parser.add_argument(
        "--fail-on-unjudged", action="store_true", help="end with 1 where resources of other providers were not judged"
    )
    return parser


if __name__ == "__main__":
    # The process ends with its report: there is nothing to collect before.
    gc.disable()
    sys.exit(main())
