"""Checks a stack in a file against the rules, without credentials and without the engine.

    python -m policies.check FILE [--format text|json|sarif] [--config FILE] [--fail-on-unjudged]

FILE is the output of `pulumi stack export` or `pulumi preview --json` (also streamed), the events of an update, or a
state file of a file backend; `-` reads standard input. Exits with 0 without mandatory complaints, with 1 if there are
any, and with 2 if the file or the configuration is invalid, or the preview failed. With --fail-on-unjudged, resources
without rules and resources that the file leaves out count as mandatory complaints.
"""

import argparse
import gc
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

PASSED, FAILED, INVALID = 0, 1, 2

# Nothing is to be cleaned up: Ctrl-C ends the process as it ends `cat`, without a traceback.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

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
    sys.exit(INVALID)


class _InputError(Exception):
    """The input cannot be checked; the message says why."""


def main(arguments: list[str] | None = None) -> int:
    """Check the file, write the report to standard output, and return the exit code."""
    options = _parser().parse_args(arguments)
    checked = "stdin" if options.file == "-" else options.file
    try:
        contents = state_files.read(_read_bytes(options.file))
        report = _evaluate(contents, _read_configuration(options.config), options.fail_on_unjudged)
    except (_InputError, NotAnExport, InvalidConfiguration) as error:
        source = options.config if isinstance(error, InvalidConfiguration) else checked
        sentence = str(error) if isinstance(error, _InputError) else f"{source}: {error}"
        _write_error(sentence)
        if options.format != "text":
            _write(FORMATS[options.format](failed_report(sentence), checked))
        return INVALID
    for note in (report.failure, *report.notes):
        if note:
            _write_error(f"{checked}: {note}")
    _write(FORMATS[options.format](report, checked))
    if report.mandatory or (options.fail_on_unjudged and (contents.missing or contents.pending)):
        return FAILED
    # After a failure the stack is not known completely.
    return INVALID if report.failure else PASSED


def _evaluate(contents: Contents, config: Any, fail_on_unjudged: bool) -> Report:
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
    """List what is missing from the file."""
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


def _read_configuration(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        # An empty file configures nothing, as in CrossGuard.
        return json.loads(_read_bytes(file).strip() or b"{}")
    except (ValueError, RecursionError) as problem:
        raise _InputError(f"{file}: The configuration is not JSON: {problem}.") from problem


def _read_bytes(file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as problem:
        raise _InputError(f"{file}: The file cannot be read: {problem.strerror}.") from problem


def _write_error(sentence: str) -> None:
    sys.stderr.write(f"{escape_unprintable(sentence)}\n")


def _write(report: str) -> None:
    """Write the report, also to a terminal with a limited encoding and to a reader that closes the pipe."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        sys.stdout.write(report)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Exit with the message on standard error, with control characters escaped."""
        super().error(escape_unprintable(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="policies.check", description="Checks a Pulumi stack in a file against the rules.")
    parser.add_argument(
        "file", metavar="FILE", help="output of `pulumi stack export` or `pulumi preview --json`; - for stdin"
    )
    parser.add_argument("--format", choices=FORMATS, default="text", help="report format (default: text)")
    parser.add_argument("--config", metavar="FILE", help="the pack's configuration, in CrossGuard's format")
    parser.add_argument(
        "--fail-on-unjudged",
        action="store_true",
        help="exit with 1 if there are resources of other providers, for which there are no rules",
    )
    return parser


if __name__ == "__main__":
    # The process is too short for garbage collection to pay off.
    gc.disable()
    sys.exit(main())
