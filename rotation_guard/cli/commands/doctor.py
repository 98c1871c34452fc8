"""`rotation-guard doctor`: whether every link of a deployment works."""

from ..deployment import resolve_deployment
from ..doctor.diagnosis import diagnose
from ..doctor_report import build_doctor_report
from ..formats import Format
from ..options import Command, ExitCode, Local, OutputFormat, Profile, Region, StackOutputs, finish
from ..parsing import utc_now
from ..provenance import begin_provenance


def doctor(
    stack_outputs: StackOutputs = None,
    local: Local = False,
    profile: Profile = None,
    region: Region = None,
    output_format: OutputFormat = Format.TABLE,
    exit_code: ExitCode = False,
) -> None:
    """Examine every link of a deployment: ok, broken or cannot tell, with a fix.

    Reads the trail, rules, queues, topics, keys, schedules, functions, permissions, tables, alarms, workflow, stored
    reports and integrations of the stack, the hub or the member that --stack-outputs or ROTATION_GUARD_STACK_OUTPUTS
    names, or else of the local deployment that `make up` started in this directory or one above it; changes nothing.
    """
    now = utc_now()
    deployment = resolve_deployment(stack_outputs, local, profile, region)
    report = build_doctor_report(diagnose(deployment, now), deployment, now)
    # Not before: of another account, nothing but the caller's identity is asked.
    finish(begin_provenance(deployment).attach(report), output_format, exit_code)


DOCTOR = Command(
    doctor,
    (
        "rotation-guard doctor",
        "rotation-guard doctor --stack-outputs outputs.json --format json",
        "rotation-guard doctor --stack-outputs outputs.json --exit-code",
    ),
)
