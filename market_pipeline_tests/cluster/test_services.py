"""The services of these tests are real ones: a database that keeps rows, a store that refuses other keys."""

import subprocess

import psycopg2
import pytest

from market_pipeline_tests.cluster import services


def test_a_database_keeps_its_rows_when_the_server_is_killed() -> None:
    with services.postgres() as server:
        connection = server.make_database()
        written = psycopg2.connect(connection)
        with written, written.cursor() as cursor:
            cursor.execute("create table held as select 1 as value")
        server.stop()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(connection)
        server.start()
        with psycopg2.connect(connection).cursor() as cursor:
            cursor.execute("select value from held")
            assert cursor.fetchall() == [(1,)]


def test_the_store_is_read_with_its_key_only(object_store: services.ObjectStore) -> None:
    remote = f":s3,provider=Rclone,endpoint='{object_store.url}',access_key_id={object_store.key},secret_access_key="

    def rclone(command: str, secret: str, content: str = "") -> str:
        line = [services.rclone() or "", command, f"{remote}{secret}:{services.BUCKET}/note", "--retries", "1"]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, input=content).stdout

    # A file that is put into the server's folder by itself may not be seen for minutes.
    rclone("rcat", object_store.secret, "written")
    assert rclone("cat", object_store.secret) == "written"
    assert rclone("cat", "another") == ""
