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
from .console import Screen
from .demo import drill, expectations, scenarios
from .demo.timeline import moments
from .deploy import deployment
from .deploy.deployment import DIRECTORY
from .deploy.stacks import ROOT
from .errors import LocalError

_EVENTS = ROOT / "tests" / "events"
_MANY = 10
"""Resources that are named where more are counted."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code. What goes wrong is one sentence on standard error."""
    options = _parser().parse_args(arguments)
    screen = Screen()
    try:
        return options.command(options, screen)
    except LocalError as error:
        screen.error(str(error))
        return 1
    except (ClientError, BotoCoreError) as error:
        screen.error(f"The embedded AWS refused or went away: {error}")
        return 1
    except OSError as error:
        # A directory that may not be written, a file in the place of one, a full disk.
        screen.error(f"{error.filename or options.directory} cannot be used: {error.strerror or error}.")
        return 1


def _up(options: argparse.Namespace, screen: Screen) -> int:
    with screen.working("starting") as live:
        stack = deployment.up(options.directory, options.stack, port=options.port, progress=live.says)
    start, deploy = stack.seconds["start"], stack.seconds["deploy"]
    screen.happened(scenarios.Happened(f"embedded AWS at {stack.endpoint_url}", start * 1000))
    deployed = f"stack {stack.stack}: {len(stack.resources)} resources"
    screen.happened(scenarios.Happened(deployed, deploy * 1000))
    if options.stories and "rotating_secret_name" not in stack.outputs:
        screen.line("This stack has no demo secrets, so there is no story to tell.")
    elif options.stories:
        screen.story(scenarios.audit_run(stack), "auditing the secrets")
        screen.story(scenarios.failed_rotation(stack), "breaking a rotation")
    screen.line()
    screen.pairs("Outputs", stack.outputs)
    screen.line()
    screen.line(f"The stack runs at {stack.endpoint_url} until `make down`. Try next:", style="bold")
    for arguments in ("status", "event rotation-failed", "drill"):
        screen.line(f"  {_invocation(options)} {arguments}", style="cyan")
    return 0


def _down(options: argparse.Namespace, screen: Screen) -> int:
    with screen.working("ending") as live:
        ended = deployment.down(options.directory, live.says)
    if ended.leftovers:
        left = ", ".join(ended.leftovers[:_MANY])
        more = f" and {len(ended.leftovers) - _MANY} more" if len(ended.leftovers) > _MANY else ""
        raise LocalError(
            f"The embedded AWS was ended, but {len(ended.leftovers)} resources were left in it: {left}{more}."
        )
    if not ended.was_running:
        screen.line("No stack was running; nothing is left behind.")
    elif ended.emulator_had_died:
        screen.line("The embedded AWS had died, and its resources with it; nothing is left behind.")
    else:
        own = _users_own(ended.user_resources)
        screen.line(f"Deleted {ended.deleted_count} resources{own} and ended the embedded AWS; nothing is left behind.")
    return 0


def _users_own(counts: Mapping[str, int]) -> str:
    """How many resources of the user's own were deleted, by type; nothing where there were none."""
    if not counts:
        return ""
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items()))
    return f" of the stack, and {sum(counts.values())} of your own ({kinds}),"


def _status(options: argparse.Namespace, screen: Screen) -> int:
    stack = deployment.load_stack(options.directory)
    if stack is None:
        screen.line("No stack is running: start one with `make up`.")
        return 1
    if not stack.is_alive():
        screen.line(f"The embedded AWS at {stack.endpoint_url} has died: start it anew with `make up`.")
        return 1
    screen.line(f"Stack {stack.stack} runs at {stack.endpoint_url} ({stack.region}, {len(stack.resources)} resources).")
    screen.pairs("Outputs", stack.outputs)
    screen.pairs("Messages", status.count_messages(stack))
    ringing, number = status.list_ringing_alarms(stack)
    if ringing:
        screen.pairs(f"Alarms: {len(ringing)} of {number} in ALARM", ringing)
    elif not number:
        screen.line("There are no alarms.")
    else:
        screen.line(f"None of {number} alarms is in ALARM.")
    return 0


def _event(options: argparse.Namespace, screen: Screen) -> int:
    stack = deployment.require_running(options.directory)
    event = _read_event(options.event)
    screen.story(scenarios.put_event(stack, event, options.copies), "putting the event")
    return 0


def _read_event(name: str) -> dict[str, Any]:
    if name == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace")
    else:
        path = next((path for path in (Path(name), _EVENTS / f"{name}.json", _EVENTS / name) if path.is_file()), None)
        if path is None:
            known = ", ".join(sorted(path.stem for path in _EVENTS.glob("*.json"))) or "none"
            raise LocalError(f"There is no file or recorded event {name!r}; recorded are: {known}.")
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = error if isinstance(error, ValueError) else "it is nested too deeply"
        raise LocalError(f"{name} is not JSON: {reason}.") from error
    lacking = {"source", "detail-type", "detail"} - set(event if isinstance(event, dict) else ())
    if lacking or not isinstance(event["detail"], dict):
        lacks = f"lacks {', '.join(sorted(lacking))}" if lacking else "has a detail that is no object"
        raise LocalError(f"{name} is not an event as EventBridge delivers it: it {lacks}.")
    return event


def _drill(options: argparse.Namespace, screen: Screen) -> int:
    steps = drill.steps(options.step)
    stack = deployment.require_running(options.directory)
    for step in steps:
        screen.line(f"{step}: {drill.STORIES[step]}", style="bold")
        with screen.timeline() as timeline:
            trace = drill.run(
                stack,
                step,
                lambda trace, waits: timeline.shows(moments(trace), time.time() - trace.began_at, waits),
            )
            timeline.shows(moments(trace), time.time() - trace.began_at, "")
        judged = expectations.judged(trace)
        for promise, broken in judged:
            screen.kept(promise.says, broken)
        screen.line()
        if told := [broken for _, broken in judged if broken]:
            raise LocalError(f"Broken at {step}, and not every promise was kept: {' '.join(told)}")
    return 0


def _report(options: argparse.Namespace, screen: Screen) -> int:
    """The audit of a portfolio, as its owners would see it: the stack that runs gets it, or one that is started."""
    stack = deployment.load_stack(options.directory)
    if stack is None or not stack.is_alive():
        with screen.working("starting") as live:
            stack = deployment.up(options.directory, progress=live.says)
    screen.story(scenarios.portfolio_audit(stack), "auditing a portfolio")
    screen.line()
    # --local: the environment may name a stack in an account.
    command = [sys.executable, "-m", "rotation_guard.cli", "report", "--local", *options.arguments]
    where = options.directory.resolve().parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, cwd=where, env=environment, check=False).returncode


def _env(options: argparse.Namespace, screen: Screen) -> int:
    screen.verbatim(deployment.require_running(options.directory).render_exports())
    return 0


def _invocation(options: argparse.Namespace) -> str:
    python = ".venv/bin/python" if Path(".venv/bin/python").exists() else "python"
    where = "" if options.directory == DIRECTORY else f" --directory {options.directory}"
    return f"{python} -m local{where}"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument without the control characters of that argument."""

    def error(self, message: str) -> NoReturn:
        """End with the sentence on standard error."""
        super().error(escape_control_characters(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser("python -m local", description="The stack on this machine, in an embedded AWS.")
    parser.add_argument("--directory", type=Path, default=DIRECTORY, help="where it is remembered (default: .local)")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Any, says: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=says, description=says)
        made.set_defaults(command=run)
        return made

    up = command("up", _up, "Deploy the stack, replacing the one that runs, and show it at work.")
    up.add_argument("--stack", default="dev", help="the stack to deploy (default: dev)")
    up.add_argument("--port", type=int, help="the port to listen on (default: a free one)")
    up.add_argument("--no-stories", dest="stories", action="store_false", help="deploy only")
    command("down", _down, "Delete everything, end the embedded AWS, and say that nothing was left behind.")
    command("status", _status, "Say what runs, where, how many messages wait, and which alarms ring.")
    event = command("event", _event, "Put a recorded event on the bus, and tell what became of it.")
    event.add_argument("event", metavar="FILE", help="a JSON file, - for standard input, or a name in tests/events")
    event.add_argument("--copies", type=_positive, default=1, help="how often to put it (default: 1)")
    breaking = command("drill", _drill, "Break the demo secret's rotation, and look on while it is healed.")
    breaking.add_argument("--step", default="", help="createSecret, setSecret, ... (default: all four in turn)")
    report = command("report", _report, "Audit a portfolio of some sixty secrets of every verdict, and report on it.")
    report.add_argument("arguments", nargs="*", help="options of `rotation-guard report`, behind --")
    command("env", _env, "Print lines for a shell to source, so that aws and boto3 reach the stack.")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"copies must be between 1 and 1000, got {text}")
    return int(text)
