"""When and how runs go: partitions, jobs, schedules, sensors, runs, alerts, and what the Dagster UI shows."""
