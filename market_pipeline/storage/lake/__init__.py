"""The warehouse of several machines: a DuckLake, its catalogue in Postgres, its data in a store."""
