"""The commands of `python -m local`."""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from rotation_guard.domain.control_characters import escape_control_characters

from . import status
from .console import Terminal, Timeline
from .demo import drill, expectations, scenarios
from .demo.scenarios import StepResult
from .demo.timeline import build_timeline
from .demo.trace import Trace
from .deploy import deployment
from .deploy.deployment import DIRECTORY
from .deploy.stacks import ROOT
from .errors import LocalError

_EVENTS = ROOT / "tests" / "events"
_PAGE = "report.html"
"""The page that `report` writes into the directory of the deployment."""
_MAX_NAMES = 10
"""How many leftover resources are named."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one sentence on standard error."""
    options = _build_parser().parse_args(arguments)
    terminal = Terminal()
    try:
        return options.command(options, terminal)
    except LocalError as error:
        terminal.print_error(str(error))
        return 1
    except (ClientError, BotoCoreError) as error:
        terminal.print_error(f"The embedded AWS rejected a call or stopped: {error}")
        return 1
    except OSError as error:
        # A directory without write permission, a file in place of a directory, a full disk.
        terminal.print_error(f"{error.filename or options.directory} cannot be used: {error.strerror or error}.")
        return 1


def _run_up(options: argparse.Namespace, terminal: Terminal) -> int:
    with terminal.show_progress("starting") as progress:
        stack = deployment.up(options.directory, options.stack, port=options.port, progress=progress.update)
    start, deploy = stack.seconds["start"], stack.seconds["deploy"]
    terminal.print_step(StepResult(f"embedded AWS at {stack.endpoint_url}", start * 1000))
    terminal.print_step(StepResult(f"stack {stack.stack}: {len(stack.resources)} resources", deploy * 1000))
    if options.run_scenarios and "rotating_secret_name" not in stack.outputs:
        terminal.print_line("This stack has no demo secrets: there is nothing to demonstrate.")
    elif options.run_scenarios:
        terminal.print_steps(lambda progress: scenarios.run_audit(stack, progress))
        terminal.print_steps(lambda progress: scenarios.fail_rotation(stack, progress=progress))
    terminal.print_line()
    terminal.print_pairs("Outputs", stack.outputs)
    terminal.print_line()
    terminal.print_line(f"The stack runs at {stack.endpoint_url} until `make down`. Try next:", style="bold")
    for arguments in ("status", "event rotation-failed", "drill"):
        terminal.print_line(f"  {_format_invocation(options)} {arguments}", style="cyan")
    return 0


def _run_down(options: argparse.Namespace, terminal: Terminal) -> int:
    with terminal.show_progress("stopping") as progress:
        result = deployment.down(options.directory, progress.update)
    if result.leftovers:
        names = ", ".join(result.leftovers[:_MAX_NAMES])
        more = f" and {len(result.leftovers) - _MAX_NAMES} more" if len(result.leftovers) > _MAX_NAMES else ""
        raise LocalError(
            f"The embedded AWS was ended, but {len(result.leftovers)} resources were left in it: {names}{more}."
        )
    if not result.was_running:
        terminal.print_line("No stack was running; nothing is left behind.")
    elif result.emulator_had_died:
        terminal.print_line("The embedded AWS had died, and its resources with it; nothing is left behind.")
    else:
        others = _describe_user_resources(result.user_resources)
        terminal.print_line(
            f"Deleted {result.deleted_count} resources{others} and ended the embedded AWS; nothing is left behind."
        )
    return 0


def _describe_user_resources(counts: Mapping[str, int]) -> str:
    """Say how many resources of the user's own were deleted, by type; empty when there were none."""
    if not counts:
        return ""
    types = ", ".join(f"{resource_type} {count}" for resource_type, count in sorted(counts.items()))
    return f" of the stack, and {sum(counts.values())} of your own ({types}),"


def _run_status(options: argparse.Namespace, terminal: Terminal) -> int:
    stack = deployment.load_stack(options.directory)
    if stack is None:
        terminal.print_line("No stack is running: start one with `make up`.")
        return 1
    if not stack.is_alive():
        terminal.print_line(f"The embedded AWS at {stack.endpoint_url} has died: start it again with `make up`.")
        return 1
    with terminal.show_progress("reading queues and alarms"):
        messages = status.count_messages(stack)
        firing, total = status.list_firing_alarms(stack)
    terminal.print_line(
        f"Stack {stack.stack} runs at {stack.endpoint_url} ({stack.region}, {len(stack.resources)} resources)."
    )
    terminal.print_pairs("Outputs", stack.outputs)
    terminal.print_pairs("Messages", messages)
    if firing:
        terminal.print_pairs(f"Alarms: {len(firing)} of {total} in ALARM", firing)
    elif not total:
        terminal.print_line("There are no alarms.")
    else:
        terminal.print_line(f"None of {total} alarms is in ALARM.")
    return 0


def _run_event(options: argparse.Namespace, terminal: Terminal) -> int:
    stack = deployment.require_running(options.directory)
    event = _read_event(options.event)
    terminal.print_steps(lambda progress: scenarios.put_event(stack, event, options.copies, progress))
    return 0


def _read_event(name: str) -> dict[str, Any]:
    if name == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    else:
        path = next((path for path in (Path(name), _EVENTS / f"{name}.json", _EVENTS / name) if path.is_file()), None)
        if path is None:
            known = ", ".join(sorted(path.stem for path in _EVENTS.glob("*.json"))) or "none"
            raise LocalError(f"There is no file or recorded event {name!r}; recorded events: {known}.")
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, ValueError) else "it is nested too deeply"
        raise LocalError(f"{name} is not JSON: {reason}.") from error
    missing = {"source", "detail-type", "detail"} - set(event if isinstance(event, dict) else ())
    if missing or not isinstance(event["detail"], dict):
        defect = f"lacks {', '.join(sorted(missing))}" if missing else "has a detail that is not an object"
        raise LocalError(f"{name} is not an event in EventBridge's format: it {defect}.")
    return event


def _run_drill(options: argparse.Namespace, terminal: Terminal) -> int:
    steps = drill.select_steps(options.step)
    stack = deployment.require_running(options.directory)
    for step in steps:
        terminal.print_line(f"{step}: {drill.DESCRIPTIONS[step]}", style="bold")
        with terminal.show_timeline() as timeline:

            def show(trace: Trace, pending: str, timeline: Timeline = timeline) -> None:
                timeline.add(build_timeline(trace), time.time() - trace.began_at, pending)

            trace = drill.run(stack, step, show)
            show(trace, "")
        results = expectations.check_all(trace)
        for expectation, violation in results:
            terminal.print_expectation(expectation.text, violation)
        terminal.print_line()
        if violations := [violation for _, violation in results if violation]:
            raise LocalError(f"The drill failed at {step}: {' '.join(violations)}")
    return 0


def _run_report(options: argparse.Namespace, terminal: Terminal) -> int:
    """Audit a portfolio, print the report for its owners, and write the page, on the running stack or on a new one."""
    stack = deployment.load_stack(options.directory)
    if stack is None or not stack.is_alive():
        with terminal.show_progress("starting") as progress:
            stack = deployment.up(options.directory, progress=progress.update)
    terminal.print_steps(lambda progress: scenarios.audit_portfolio(stack, progress))
    terminal.print_line()
    page = options.directory.resolve() / _PAGE
    codes = [
        _run_rotation_guard(options.directory, *arguments)
        for arguments in (tuple(options.arguments), ("--format", "html", "--output", str(page)))
    ]
    return max(codes)


def _run_rotation_guard(directory: Path, *arguments: str) -> int:
    """Run `rotation-guard report` on the deployment of this directory; return its exit code."""
    # --local, since the environment may name a stack in an account.
    command = [sys.executable, "-m", "rotation_guard.cli", "report", "--local", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, cwd=directory.resolve().parent, env=environment, check=False).returncode


def _run_env(options: argparse.Namespace, terminal: Terminal) -> int:
    terminal.write_raw(deployment.require_running(options.directory).render_exports())
    return 0


def _format_invocation(options: argparse.Namespace) -> str:
    python = ".venv/bin/python" if Path(".venv/bin/python").exists() else "python"
    directory = "" if options.directory == DIRECTORY else f" --directory {options.directory}"
    return f"{python} -m local{directory}"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors escape the control characters of a bad argument."""

    def error(self, message: str) -> NoReturn:
        """Print the error to standard error and exit."""
        super().error(escape_control_characters(message))


def _build_parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m local", description="Runs the stack on this machine, in an embedded AWS.")
    parser.add_argument(
        "--directory", type=Path, default=DIRECTORY, help="where the deployment is described (default: .local)"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add_command(name: str, run: Any, description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=description, description=description)
        command.set_defaults(command=run)
        return command

    up = add_command("up", _run_up, "Deploy the stack, replacing a running one, and demonstrate it.")
    up.add_argument("--stack", default="dev", help="the stack to deploy (default: dev)")
    up.add_argument("--port", type=int, help="the port to listen on (default: a free one)")
    up.add_argument("--no-stories", dest="run_scenarios", action="store_false", help="deploy only")
    add_command("down", _run_down, "Delete all resources, stop the embedded AWS, and check that nothing is left.")
    add_command("status", _run_status, "Show the stack, its address, waiting messages, and alarms in ALARM.")
    event = add_command("event", _run_event, "Put a recorded event on the bus, and show its effects.")
    event.add_argument("event", metavar="FILE", help="a JSON file, - for standard input, or a name in tests/events")
    event.add_argument("--copies", type=_parse_copies, default=1, help="how often to put it (default: 1)")
    drill_ = add_command("drill", _run_drill, "Break the demo secret's rotation, and show how it is repaired.")
    drill_.add_argument("--step", default="", help="createSecret, setSecret, ... (default: all four in turn)")
    report = add_command("report", _run_report, "Audit a portfolio of secrets with every verdict, and report.")
    report.add_argument("arguments", nargs="*", help="options of `rotation-guard report`, after --")
    add_command("env", _run_env, "Print lines for a shell to source, so that aws and boto3 use the stack.")
    return parser


def _parse_copies(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"copies must be between 1 and 1000, got {text}")
    return int(text)
