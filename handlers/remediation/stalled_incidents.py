"""Reports incidents whose workflow is overdue, so that another execution resumes them."""

import uuid

from rotation_guard.domain.rotation_event import INCIDENT_STALLED

from ..adapters import event_bus, unfinished_incidents

ACTIONS = unfinished_incidents.READING_ACTIONS | event_bus.ACTIONS
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "rotation-guard:stalled-incident")
_HOUR = 3600


def report(
    unfinished: unfinished_incidents.UnfinishedIncidents,
    now: int,
    secret_arn: str | None = None,
    except_for: unfinished_incidents.StalledIncident | None = None,
) -> list[unfinished_incidents.StalledIncident]:
    """Publish an event for each stalled incident, of one secret or of all; `now` is in epoch seconds.

    The caller handles the incident `except_for` itself. An event's id is the same within an hour, so that many reports
    start one execution. Raises EventRejected.
    """
    stalled = [incident for incident in unfinished.find_stalled(now, secret_arn) if incident != except_for]
    for incident in stalled:
        event_id = uuid.uuid5(_NAMESPACE, f"{incident.secret_arn} {incident.opened_at} {now // _HOUR}")
        detail = {"eventID": str(event_id), "opened_at": incident.opened_at}
        event_bus.publish_event(INCIDENT_STALLED, incident.secret_arn, detail, unfinished.table_name)
    return stalled
