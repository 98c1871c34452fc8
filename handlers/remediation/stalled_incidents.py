"""Reports unfinished incidents that nobody has been heard of in time, so that another execution goes on with them."""

import uuid

from rotation_guard.domain.rotation_event import INCIDENT_STALLED

from ..adapters import event_bus, unfinished_incidents

ACTIONS = unfinished_incidents.LOOKING_ACTIONS | event_bus.ACTIONS
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "rotation-guard:stalled-incident")
_HOUR = 3600


def report(
    unfinished: unfinished_incidents.UnfinishedIncidents,
    now: int,
    secret_arn: str | None = None,
    but: unfinished_incidents.Stalled | None = None,
) -> list[unfinished_incidents.Stalled]:
    """Puts an event for each stalled incident, of one secret or of all, on the bus; `now` is in epoch seconds.

    One may be left out, of which the caller tells by itself. The event's id is the same within an hour, so that many
    reports start one execution. Raises NotTaken.
    """
    stalled = [incident for incident in unfinished.stalled(now, secret_arn) if incident != but]
    for incident in stalled:
        event_id = uuid.uuid5(_NAMESPACE, f"{incident.secret_arn} {incident.opened_at} {now // _HOUR}")
        event_bus.put(
            INCIDENT_STALLED, incident.secret_arn, {"eventID": str(event_id), "opened_at": incident.opened_at}
        )
    return stalled
