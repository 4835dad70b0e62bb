"""What is new in a publication beside the one before: one query on both files, `mart` the new one, `earlier` the old.

Only what is new or different: a bar that left quarantine is no row. Champions count from the baseline: before the first
review it is champion of every question.
"""

import pyarrow as pa

from market_pipeline.storage.schema import ARROW
from market_pipeline.storage.tables.forecasts import BASELINE
from market_pipeline.storage.tables.mart import CHANGES

KINDS = ("session", "champion", "verdict", "quarantine", "restatement")

ROWS = pa.schema([(column.name, ARROW[column.type]) for column in CHANGES.columns])


def _new(table: str, columns: str) -> str:
    return f"(select {columns} from mart.{table} except select {columns} from earlier.{table})"


def _champions(file: str) -> str:
    return f"(select market, horizon, question, max_by(model, since) as model from {file}.champions group by all)"


CHANGED = f"""
from (
    select 'session' as kind, market, session from {_new("prices", "market, session")}
    union all by name
    select 'champion' as kind, market, horizon, question,
        coalesce(old.model, '{BASELINE}') as before, coalesce(new.model, '{BASELINE}') as after
    from {_champions("earlier")} old full join {_champions("mart")} new using (market, horizon, question)
    where before <> after
    union all by name
    select 'verdict' as kind, market, horizon, question, model, old.verdict as before, new.verdict as after
    from earlier.leaderboard old full join mart.leaderboard new using (market, horizon, question, model)
    where before is distinct from after
    union all by name
    select 'quarantine' as kind, market, symbol, session, rule as after
    from {_new("quarantine", "market, symbol, session, rule")}
    union all by name
    select 'restatement' as kind, market, symbol, session, field,
        format('{{:.10g}}', old) as before, format('{{:.10g}}', new) as after
    from {_new("restatements", "market, symbol, session, field, old, new, known_at")}
) order by list_position({list(KINDS)}, kind), market, horizon, question, model, symbol, session, field, before, after
"""
"""Rows of `changes`, by kind, market and key."""
