"""Measures `rotation-guard scan` against the filter of Cloud Custodian that reads versions, `current-version`.

Both answer which values are older than 30 days, as whole processes, one after the other against the same server, which
answers each call after a delay. Cloud Custodian is no requirement of this product: it is measured if it is installed in
an environment of its own.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.paths import ROOT

from .aws_server import Server, serve
from .figures import Figure, NotInstalled
from .measured_command import Measurement, measure

SECRETS, WARM_UP, RUNS = 5_000, 500, 3
DELAY_MILLISECONDS = 5
"""Of each call. A call takes longer over a network; a longer delay would favour concurrent calls, which are ours."""
FASTER = 5
"""How many times faster `scan` must be."""
VERSION = "0.9.53"
VARIABLE = "ROTATION_GUARD_CUSTODIAN"
"""Names the executable `custodian` if it is not in the folder below."""
FOLDER = ".bench/custodian"
INSTALLATION = f"python3 -m venv {FOLDER} && {FOLDER}/bin/pip install c7n=={VERSION}"
ROTATION_GUARD = str(Path(sys.executable).with_name("rotation-guard"))
_POLICY = {
    "name": "current-secret-version-age",
    "resource": "aws.secrets-manager",
    "filters": [{"type": "current-version", "key": "CreatedDate", "value_type": "age", "op": "gt", "value": 30}],
}
"""The example of https://cloudcustodian.io/docs/aws/resources/secrets-manager.html, with our limit."""


def comparison() -> Iterator[Figure]:
    """A scan of 5 000 secrets, compared with Cloud Custodian."""
    custodian = find_custodian()
    with serve(WARM_UP, DELAY_MILLISECONDS) as server:
        _scan(server, WARM_UP)
        _run_policy(custodian, server, WARM_UP)
    with serve(SECRETS, DELAY_MILLISECONDS) as server:
        pairs = []
        for _ in range(RUNS):
            server.take_calls()
            ours, our_calls = _scan(server, SECRETS), server.take_calls()
            theirs, their_calls = _run_policy(custodian, server, SECRETS), server.take_calls()
            pairs.append((ours, theirs))
    name = f"scan of {SECRETS} secrets, {DELAY_MILLISECONDS} ms a call, over Cloud Custodian {VERSION}"
    value, baseline = (statistics.median(run.seconds for run in runs) for runs in zip(*pairs, strict=True))
    yield Figure(name, value, "s", baseline=baseline, ratio_bound=1 / FASTER)
    value, baseline = (statistics.median(run.cpu_seconds for run in runs) for runs in zip(*pairs, strict=True))
    yield Figure("its processor time, over Cloud Custodian", value, "s", baseline=baseline)
    yield Figure("its calls, over Cloud Custodian", our_calls.total(), "calls", baseline=their_calls.total())


def find_custodian() -> str:
    """The executable. Raises NotInstalled with what to do, or if it has another version."""
    executable = os.environ.get(VARIABLE) or str(ROOT / FOLDER / "bin" / "custodian")
    try:
        done = subprocess.run([executable, "version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotInstalled(
            f"Cloud Custodian is not installed: {INSTALLATION}, or name its executable in {VARIABLE} ({error})."
        ) from None
    version = done.stdout.strip()
    if version != VERSION:
        raise NotInstalled(f"Cloud Custodian must be {VERSION}, {executable} is {version}: {INSTALLATION}.")
    return executable


def _scan(server: Server, secrets: int) -> Measurement:
    command = [ROTATION_GUARD, "scan", "--older-than", "30d", "--format", "csv"]
    measured = measure(command, AWS_ENDPOINT_URL=server.url)
    _require_count("rotation-guard", measured.lines - 1, secrets)
    return measured


def _run_policy(custodian: str, server: Server, secrets: int) -> Measurement:
    with tempfile.TemporaryDirectory() as directory:
        policies = Path(directory) / "policies.json"
        policies.write_text(json.dumps({"policies": [_POLICY]}))
        # Without its cache, in which a second run would find the secrets of the first.
        options = ["--region", "eu-west-1", "--cache-period", "0", "--output-dir", directory]
        measured = measure([custodian, "run", *options, str(policies)], AWS_ENDPOINT_URL=server.url)
        resources = Path(directory) / str(_POLICY["name"]) / "resources.json"
        _require_count("Cloud Custodian", len(json.loads(resources.read_text())), secrets)
    return measured


def _require_count(name: str, found: int, secrets: int) -> None:
    """Both must have answered the same: two of ten secrets have an older value."""
    if found != secrets // 5:
        raise RuntimeError(f"{name} must find {secrets // 5} of {secrets} secrets, it found {found}")
