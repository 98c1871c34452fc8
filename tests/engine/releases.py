"""States as releases left them, and how the AWS that belongs to one is made anew.

`python -m tests.engine.releases` records the state of this checkout's program, for the upgrade tests of what follows:
run it before a release. A state names no path of the machine that it was recorded on.
"""

import gzip
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.lambda_code import lambda_code
from components.release import VERSION
from local.aws import Aws
from local.emulator import ACCESS_KEY_ID, ACCOUNT_ID, SECRET_ACCESS_KEY, Emulator
from local.resources import entry_for
from tests.engine.configurations import CONFIGURATIONS, REGION
from tests.engine.harness import ROOT, EngineStack

FOLDER = Path(__file__).parent / "states"
_ENDPOINT = "http://endpoint"
"""In place of the address that the embedded AWS had."""

State = dict[str, Any]


def recorded() -> list[Path]:
    """The files of all states, by release and configuration."""
    return sorted(FOLDER.glob("*.json.gz"))


def read(path: Path) -> State:
    """A state, as `pulumi stack import` takes it."""
    return json.loads(gzip.decompress(path.read_bytes()))


def restore(state: State, aws: Aws) -> State:
    """Creates what the state says is there, and answers the state with the ids and addresses of what there is now.

    Functions get the code of this checkout: of the release's a state keeps the hash alone.
    """
    state = json.loads(json.dumps(state).replace(_ENDPOINT, aws.endpoint_url))
    resources = state["deployment"]["resources"]
    for index in range(len(resources)):
        resource = state["deployment"]["resources"][index]
        if not resource["type"].startswith("aws:"):
            continue
        inputs = {key: _plain(value) for key, value in resource["inputs"].items() if key != "__defaults"}
        if "code" in inputs:
            inputs["code"] = lambda_code()
        created = entry_for(resource["type"]).create(aws, inputs)
        before = {"id": resource["id"], **(resource["outputs"].get("standIn") or {})}
        now = {"id": created.id, **created.outputs}
        for key, value in before.items():
            if isinstance(value, str) and isinstance(now.get(key), str) and len(value) > 8 and now[key] != value:
                state = json.loads(json.dumps(state).replace(json.dumps(value)[1:-1], json.dumps(now[key])[1:-1]))
    return state


def _plain(value: Any) -> Any:
    """A value without the mark of a secret; the states have them in plain text, as only the demo has any."""
    if isinstance(value, dict) and "plaintext" in value:
        return json.loads(value["plaintext"])
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def record(configuration: str, aws: Aws, folder: Path) -> State:
    """The state of this checkout's program in one configuration, deployed into this AWS."""
    stack, config = CONFIGURATIONS[configuration]
    deployed = EngineStack(folder, aws, stack, config)
    outcome = deployed.up()
    if outcome.failed:
        raise RuntimeError("\n".join(outcome.messages))
    return _anonymous(deployed.export(), aws)


def _anonymous(state: Mapping[str, Any], aws: Aws) -> State:
    text = json.dumps(state).replace(aws.endpoint_url, _ENDPOINT)
    anonymous = json.loads(text.replace(str(ROOT), "/checkout"))
    for resource in anonymous["deployment"]["resources"]:
        for properties in (resource.get("inputs") or {}, resource.get("outputs") or {}):
            if isinstance(code := properties.get("code"), dict):
                code["assets"] = {}
    return anonymous


def main() -> None:
    """Records every configuration."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        for configuration in CONFIGURATIONS:
            folder = Path(temporary) / configuration
            emulator = Emulator.start(folder / "aws", REGION)
            try:
                emulator.wait_until_ready()
                aws = Aws(emulator.endpoint_url, REGION, ACCOUNT_ID, ACCESS_KEY_ID, SECRET_ACCESS_KEY)
                text = json.dumps(record(configuration, aws, folder / "stack"), sort_keys=True)
            finally:
                emulator.stop()
            path = FOLDER / f"{VERSION}-{configuration}.json.gz"
            path.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
