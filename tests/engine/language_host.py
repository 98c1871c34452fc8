"""A language host for Python: what plain `pulumi` commands start to run a program, to serve a policy pack, to install.

It stands in for `pulumi-language-python`, which comes with the CLI and is not to be had by itself. Which Python runs is
what matters to a project: that of the virtual environment which its file names, or else nothing runs at all
(https://www.pulumi.com/docs/iac/languages-sdks/python/#virtual-environments).
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import grpc
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from tests.engine import wire
from tests.engine.serving import serve

_RUN_PROGRAM = Path(__file__).with_name("run_program.py")
_EXPLAINED_ERROR = 32
"""The exit code of a program that has explained its error to the user."""


class NoEnvironment(Exception):
    """The virtual environment that a project names is not there; the message says what makes it."""


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The host, for one engine."""

    def __init__(self, engine_address: str) -> None:
        self._engine = engine_address

    def Handshake(self, request, context):  # noqa: N802 - the protocol's names
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):  # noqa: N802
        return plugin_pb2.PluginInfo(version="3.193.0")

    def GetRequiredPackages(self, request, context):  # noqa: N802
        return language_pb2.GetRequiredPackagesResponse()

    def About(self, request, context):  # noqa: N802
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version.split()[0])

    def Cancel(self, request, context):  # noqa: N802
        return wire.empty()

    def InstallDependencies(self, request, context):  # noqa: N802
        """Makes the virtual environment, and installs the requirements of `requirements.txt`."""
        environment = Path(request.info.root_directory, dict(request.info.options)["virtualenv"])
        yield from _stream([sys.executable, "-m", "venv", str(environment)], request.directory, {})
        install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            "requirements.txt",
        ]
        yield from _stream([str(environment / "bin" / "python"), *install], request.directory, {})

    def Run(self, request, context):  # noqa: N802
        """Runs a program, as `run_program.py` does it."""
        try:
            python = _find_python(request.info)
        except NoEnvironment as error:
            return language_pb2.RunResponse(error=str(error))
        settings = {
            "monitor": request.monitor_address,
            "engine": self._engine,
            "project": request.project,
            "stack": request.stack,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "organization": request.organization or "organization",
            "root_directory": request.info.root_directory,
        }
        environment = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        command = [python, "-u", str(_RUN_PROGRAM), json.dumps(settings)]
        ended = subprocess.run(
            command, cwd=request.info.program_directory, env=_own(environment), stdout=sys.stderr, check=False
        ).returncode
        error = f"the program ended with exit code {ended}" if ended not in (0, _EXPLAINED_ERROR) else ""
        return language_pb2.RunResponse(error=error, bail=ended == _EXPLAINED_ERROR)

    def RunPlugin(self, request, context):  # noqa: N802
        """Serves a policy pack, or a plugin with components, until the engine ends it."""
        try:
            python = _find_python(request.info)
        except NoEnvironment as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        folder = request.info.program_directory
        if request.kind == "analyzer":
            command, working_directory = [python, "-u", "-m", "pulumi.policy", *request.args, folder], folder
        else:
            # As pulumi-language-python starts a plugin that has a `__main__.py`: in the folder of the program.
            command, working_directory = [python, folder, *request.args], request.pwd
        environment = dict(variable.partition("=")[::2] for variable in request.env)
        for kind, value in _run(command, working_directory, environment, context):
            yield language_pb2.RunPluginResponse(**{kind: value})


def _find_python(info: Any) -> str:
    """The interpreter that a project names. Raises NoEnvironment."""
    environment = dict(info.options).get("virtualenv")
    if not environment:
        return sys.executable
    python = Path(info.root_directory, environment, "bin", "python")
    if not python.is_file():
        folder = info.root_directory
        raise NoEnvironment(f"the virtual environment {environment} of {folder} is not there; run `pulumi install`")
    return str(python)


def _own(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a process of the project's, which is to find nothing of this checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment


def _stream(command: list[str], folder: str, environment: dict[str, str]) -> Iterator[Any]:
    for kind, value in _run(command, folder, environment):
        if kind == "exitcode" and value:
            raise RuntimeError(f"{' '.join(command)} ended with {value}")
        if kind != "exitcode":
            yield language_pb2.InstallDependenciesResponse(**{kind: value})


def _run(
    command: list[str], folder: str, environment: dict[str, str], context: grpc.ServicerContext | None = None
) -> Iterator[tuple[str, Any]]:
    """What a process writes, as it writes it, and its exit code at last; it ends when the call of the engine does."""
    process = subprocess.Popen(
        command, cwd=folder, env=_own(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    if context:
        context.add_callback(process.terminate)
    written: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    def read(kind: str, stream: Any) -> None:
        for line in stream:
            written.put((kind, line))
        written.put(("closed", b""))

    for kind, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
        threading.Thread(target=read, args=(kind, stream), daemon=True).start()
    still_open = 2
    while still_open:
        kind, value = written.get()
        if kind == "closed":
            still_open -= 1
        else:
            yield kind, value
    yield "exitcode", process.wait()


def main() -> None:
    """Serve until the engine ends this process."""
    address = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), "")
    host = LanguageHost(address)
    serve(lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server))


if __name__ == "__main__":
    main()
