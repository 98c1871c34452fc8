"""Each link that is broken is diagnosed, with its fix, and no other link is."""

from datetime import timedelta

import pytest

from local.mocks.recording import REGION

from . import broken_deliveries, broken_functions, broken_options, broken_receivers
from .broken_deliveries import change_pattern, select
from .broken_functions import metric_alarm
from .broken_options import canary_of, drop_canary_alarm, forget_own_canaries, report_of
from .broken_receivers import SLACK
from .deployed_aws import TRAIL

CASES = {**broken_deliveries.CASES, **broken_functions.CASES}
OF_SETTINGS = {**broken_options.CASES, **broken_receivers.CASES}


def test_nothing_is_wrong_with_a_stack_that_works(aws, diagnose):
    assert diagnose(aws) == {}


@pytest.mark.parametrize("case", CASES)
def test_exactly_the_link_that_is_broken_is_diagnosed(aws, diagnose, case):
    gone = {
        "a function that was deleted": {"permissions: notify"},
        "a schedule that was deleted": {"permissions: schedule"},
    }

    require_diagnosis(aws, diagnose, CASES[case], gone.get(case, set()))


@pytest.mark.parametrize("case", OF_SETTINGS)
def test_exactly_the_link_that_is_broken_is_diagnosed_of_what_settings_add(everything, diagnose, case):
    require_diagnosis(everything, diagnose, OF_SETTINGS[case], broken_options.GONE.get(case, set()))


def require_diagnosis(aws, diagnose, case, gone):
    break_link, link, reason, fix = case
    break_link(aws)

    found = diagnose(aws)

    assert [name for name, one in found.items() if one.verdict == "broken"] == [link]
    assert reason in found[link].reason
    assert fix in found[link].fix
    # What relies on something that is gone cannot be judged, and says so.
    others = {name: one for name, one in found.items() if name != link}
    assert {one.verdict for one in others.values()} <= {"cannot tell"}
    assert set(others) == gone


def test_an_event_that_waits_for_long_is_broken(aws, diagnose):
    aws.queue("audit_queue_url")["ApproximateNumberOfMessages"] = "7"
    aws.oldest_event_seconds = 60
    assert diagnose(aws) == {}

    aws.oldest_event_seconds = 1800
    [(link, found)] = diagnose(aws).items()

    assert (link, found.verdict) == ("queue: audit", "broken")
    assert "has waited for 30 minutes." in found.reason


@pytest.mark.parametrize(
    "selectors",
    [
        {"EventSelectors": [{"ReadWriteType": "WriteOnly"}]},
        {"EventSelectors": [{"ReadWriteType": "All", "ExcludeManagementEventSources": ["kms.amazonaws.com"]}]},
        {"AdvancedEventSelectors": [select(eventCategory={"Equals": ["Management"]})]},
        {
            "AdvancedEventSelectors": [
                select(eventCategory={"Equals": ["Data"]}, **{"resources.type": {"Equals": ["AWS::S3::Object"]}}),
                select(
                    eventCategory={"Equals": ["Management"]},
                    readOnly={"Equals": ["false"]},
                    eventSource={"NotEquals": ["kms.amazonaws.com", "rdsdata.amazonaws.com"]},
                ),
            ]
        },
    ],
    ids=["write only", "without KMS", "advanced", "advanced without KMS"],
)
def test_a_trail_of_write_events_is_enough(aws, diagnose, selectors):
    aws.selectors[TRAIL] = selectors

    assert diagnose(aws) == {}


def test_one_trail_that_works_is_enough(aws, diagnose):
    aws.trails.insert(0, {"Name": "old", "TrailARN": f"{TRAIL}-old", "HomeRegion": REGION})
    aws.trail_status[f"{TRAIL}-old"] = {"IsLogging": False}
    aws.selectors[f"{TRAIL}-old"] = {"EventSelectors": []}

    assert diagnose(aws) == {}


def test_a_stopped_trail_beside_one_that_cannot_be_read_is_not_called_broken(aws, diagnose):
    aws.trails.append({"Name": "organization", "TrailARN": f"{TRAIL}-o", "IsMultiRegionTrail": True})
    aws.trail_status[TRAIL]["IsLogging"] = False

    [(link, found)] = diagnose(aws).items()

    assert (link, found.verdict) == ("trail: CloudTrail", "cannot tell")


def test_an_alarm_without_data_for_long_cannot_be_judged(aws, diagnose):
    alarm = metric_alarm(aws, "check-errors")
    alarm.update(StateValue="INSUFFICIENT_DATA", StateUpdatedTimestamp=aws.now - timedelta(minutes=10))
    assert diagnose(aws) == {}

    alarm["StateUpdatedTimestamp"] = aws.now - timedelta(hours=5)
    [(link, found)] = diagnose(aws).items()

    assert (link, found.verdict) == ("alarm: audit-not-running", "cannot tell")


def test_before_the_first_run_the_audit_cannot_be_judged(aws, diagnose):
    aws.runs = []

    assert {link: found.verdict for link, found in diagnose(aws).items()} == {
        "audit: last firing": "cannot tell",
        "audit: last run": "cannot tell",
    }


def test_a_new_schedule_of_canaries_has_time_for_its_first(everything, diagnose):
    forget_own_canaries(everything)
    canary_of(everything)["LastModificationDate"] = everything.now - timedelta(hours=24)
    assert {link: found.verdict for link, found in diagnose(everything).items()} == {
        "canary: last recorded": "cannot tell"
    }

    canary_of(everything)["LastModificationDate"] = everything.now - timedelta(hours=26)
    assert diagnose(everything)["canary: last recorded"].verdict == "broken"


def test_a_schedule_that_rests_for_longer_than_alarms_look_back_needs_no_alarm(everything, diagnose):
    drop_canary_alarm(everything)
    canary_of(everything)["ScheduleExpression"] = "rate(7 days)"

    assert diagnose(everything) == {}


def test_a_new_schedule_of_reports_has_time_for_its_first(everything, diagnose):
    everything.bucket()["keys"] = []
    report_of(everything)["LastModificationDate"] = everything.now - timedelta(hours=47)

    [(link, found)] = diagnose(everything).items()

    assert (link, found.verdict) == ("reports: last stored", "cannot tell")
    assert "No report was stored since the schedule was changed at" in found.reason


def test_without_a_setting_nothing_is_locked(everything, diagnose):
    everything.outputs["report_object_lock_days"] = 0
    everything.refusals["s3:GetBucketObjectLockConfiguration"] = "ObjectLockConfigurationNotFoundError"

    assert diagnose(everything) == {}


def test_the_filter_of_an_integration_is_its_own_affair(everything, diagnose):
    change_pattern(
        everything,
        SLACK,
        detail={
            "incidents_table": [everything.outputs["incidents_table_name"]],
            "message": {"incident": [{"exists": True}]},
            "severity": ["WARNING"],
        },
    )

    assert diagnose(everything) == {}


def test_a_connection_that_is_being_made_cannot_be_judged(everything, diagnose):
    everything.connections["rotation-guard-remediation-slack-team-0a1b2c3"]["ConnectionState"] = "AUTHORIZING"

    [(link, found)] = diagnose(everything).items()

    assert (link, found.verdict) == (f"integration: {SLACK}", "cannot tell")


def test_the_address_of_a_receiver_is_not_shown(everything, doctor):
    everything.destinations["rotation-guard-remediation-slack-team-0a1b2c3"]["ApiDestinationState"] = "INACTIVE"

    result = doctor(everything, "--format", "json")

    assert "is INACTIVE" in result.stdout
    assert "T0KEN" not in result.stdout
