"""`make policies`: holds our own stack, in every environment that has a file, to the policy pack."""

import sys
from collections.abc import Iterator

from policies.model.evaluation import Report, check
from policies.model.stack import Resource, effective_inputs
from policies.model.values import to_plain
from policies.reports import overview

from .deploy.stacks import ROOT
from .mocks.recording import Recording, deploy_program, stack_config


def environments() -> list[str]:
    """The stacks of this project, by their files."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def resources(recording: Recording) -> Iterator[Resource]:
    """What the program asked for, as the rules read it."""
    for one in recording.resources:
        derived_from = {key: tuple(sorted(urns)) for key, urns in one.property_dependencies.items()}
        outputs = {"id": one.id, **one.outputs} if one.custom else {}
        yield Resource(
            type=one.type,
            name=one.name,
            urn=one.urn,
            props=effective_inputs(to_plain(one.inputs), to_plain(outputs), derived_from),
            property_dependencies=derived_from,
            parent=one.parent,
        )


def reports() -> dict[str, Report]:
    """What the pack says about each environment."""
    return {name: check(resources(deploy_program(stack_config(name), stack=name))) for name in environments()}


def main() -> int:
    """Print what was found; 1 when something has to be put right."""
    found = reports()
    sys.stdout.write(overview.table(found))
    return int(any(report.mandatory for report in found.values()))


if __name__ == "__main__":
    sys.exit(main())
