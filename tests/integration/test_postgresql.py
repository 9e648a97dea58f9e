"""SQLAlchemy over pg8000, psycopg2 and psycopg 3 with the plugin, against a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from glob import glob
from pathlib import Path

import pytest

from tests.integration.conftest import DELAY, asked, await_port, debian_program, free_port, needs

pytestmark = needs("psycopg2")

SQLALCHEMY = """
import sqlalchemy
from sqlalchemy.pool import NullPool
url = f"postgresql+pg8000://test@db.web.example:{sys.argv[1]}/postgres"
# without TLS: else pg8000 reads all the system's certificates for each connection, which takes 50 ms
engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args={"ssl_context": False})

def query(number):
    with engine.connect() as connection:
        return connection.execute(sqlalchemy.text(f"select {number} + 1")).scalar()

query(0)  # what is loaded and compiled at the first query takes long, and has nothing to do with names
import gdns
gevent.get_hub().resolver.resolver.flush()
"""
PSYCOPG = """
import {module}
from gdns.contrib.psycopg import patch_psycopg
switch = patch_psycopg()

def query(number):
    dsn = f"host=db.web.example port={{sys.argv[1]}} user=test"
    connection = {module}.connect(dsn, dbname="postgres")
    try:
        cursor = connection.cursor()
        cursor.execute(f"select {{number}} + 1")
        return cursor.fetchone()[0]
    finally:
        connection.close()
"""
MEASURED = """
# measured
greenlets = [gevent.spawn(query, number) for number in range(1, 6)]
gevent.joinall(greenlets, raise_error=True)
said = [greenlet.value for greenlet in greenlets]
"""
WITHOUT = """
import psycopg2
said = None
# measured
try:
    psycopg2.connect(host="db.web.example", port=sys.argv[1], user="test", dbname="postgres")
except psycopg2.OperationalError as error:
    said = "could not translate host name" in str(error)
"""


@pytest.fixture(scope="module")
def postgresql_port() -> Iterator[int]:
    folders = sorted(glob("/usr/lib/postgresql/*/bin"))
    initdb = debian_program("initdb", "postgresql", folders[-1] if folders else "/usr/bin")
    user = "postgres" if os.getuid() == 0 else None  # it refuses to be run by root
    folder = Path(tempfile.mkdtemp(prefix="gdns-postgresql-"))
    if user is not None:
        shutil.chown(folder, user)
    data, port = folder / "data", free_port()
    try:
        subprocess.run(
            [initdb, "-D", data, "-A", "trust", "-U", "test", "--no-sync", "--locale=C"],
            user=user,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        options = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"unix_socket_directories={folder}",
            "-c",
            "fsync=off",
        ]
        server = [str(Path(initdb).with_name("postgres")), "-D", str(data), "-p", str(port), *options]
        with subprocess.Popen(server, user=user, cwd=folder, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                await_port(port, process)
                yield port
            finally:
                process.terminate()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "program",
    [SQLALCHEMY, PSYCOPG.format(module="psycopg2"), PSYCOPG.format(module="psycopg")],
    ids=["SQLAlchemy over pg8000", "psycopg2", "psycopg 3"],
)
def test_five_connections_share_a_lookup_and_stop_nobody(run_app, names, postgresql_port, program):
    done = run_app(program + MEASURED, postgresql_port)
    assert done.said == list(range(2, 7))
    assert done.longest_gap < DELAY / 2
    rounds = 2 if program is SQLALCHEMY else 1
    assert asked(names, "db.web.example.") == ["A"] * rounds + ["AAAA"] * rounds


DEAD = """
import {module}
from gdns.contrib.psycopg import patch_psycopg
switch = patch_psycopg()
said = None
# measured
try:
    {module}.connect("host=none.example", user="test", dbname="postgres")
except {module}.OperationalError as error:
    said = str(error)
"""


@pytest.mark.parametrize("module", ["psycopg2", "psycopg"])
def test_a_host_that_cannot_be_found_is_the_error_that_psycopg_raises(run_app, module):
    done = run_app(DEAD.format(module=module))
    assert done.said == "could not translate host name to address: Name or service not known"
    assert done.longest_gap < DELAY / 2


def test_without_help_psycopg2_asks_the_system_in_c(run_app, names, postgresql_port):
    assert run_app(WITHOUT, postgresql_port).said is True
    assert asked(names, "db.web.example.") == []
