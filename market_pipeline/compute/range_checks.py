"""How a check of a range is recorded in Dagster's event log, wherever the log is."""

from typing import Any

import dagster as dg


def planned_once(planned: dg.EventLogEntry) -> dg.EventLogEntry:
    """The event of a planned check without its partitions.

    Dagster plans a check of a range once for each partition. It reads the range as a whole and reports once, so all
    but one of them would stay planned for ever.
    """
    event = planned.get_dagster_event()
    check: Any = event.event_specific_data
    whole = type(check)(asset_key=check.asset_key, check_name=check.check_name)
    return planned._replace(dagster_event=event._replace(event_specific_data=whole))
