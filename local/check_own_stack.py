"""`make policies`: checks the program's own stacks, in every environment with a stack file, by the policy pack."""

import sys
from collections.abc import Iterator

from policies.model.evaluation import Report, check
from policies.model.stack import Resource, effective_inputs
from policies.model.values import to_plain
from policies.reports import overview

from .console import Terminal
from .deploy.deployment import Progress, ignore_progress
from .deploy.stacks import ROOT
from .mocks.recording import Recording, deploy_program, stack_config


def list_stacks() -> list[str]:
    """Return the names of this project's stacks, from their files."""
    return sorted(path.name.split(".")[1] for path in ROOT.glob("Pulumi.*.yaml"))


def read_resources(recording: Recording) -> Iterator[Resource]:
    """Yield the recorded resources in the policy pack's model."""
    for resource in recording.resources:
        derived_from = {key: tuple(sorted(urns)) for key, urns in resource.property_dependencies.items()}
        outputs = {"id": resource.id, **resource.outputs} if resource.custom else {}
        yield Resource(
            type=resource.type,
            name=resource.name,
            urn=resource.urn,
            props=effective_inputs(to_plain(resource.inputs), to_plain(outputs), derived_from),
            property_dependencies=derived_from,
            parent=resource.parent,
        )


def check_stacks(progress: Progress = ignore_progress) -> dict[str, Report]:
    """Return the policy pack's report on each stack."""
    reports = {}
    for name in list_stacks():
        progress(f"checking stack {name}")
        reports[name] = check(read_resources(deploy_program(stack_config(name), stack=name)))
    return reports


def main() -> int:
    """Print the reports; return 1 when a mandatory policy is violated."""
    with Terminal().show_progress("loading the program") as progress:
        reports = check_stacks(progress.update)
    sys.stdout.write(overview.table(reports))
    return int(any(report.mandatory for report in reports.values()))


if __name__ == "__main__":
    sys.exit(main())
