"""A disk that is full: a small tmpfs that holds a table's space where mounting is allowed.

As root the cell's log of events lies in a tablespace on a tmpfs of a few megabytes, which a file
fills up: PostgreSQL itself finds no room (SQLSTATE 53100). Where mounting is not allowed a trigger
on that table raises the same error while a flag is set.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import asyncpg

from tests.support.postgres_service import Postgres

SIZE = 8 << 20
_TRIGGER = """
CREATE TABLE full_disk (yes boolean);
CREATE FUNCTION refuse_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM full_disk) THEN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_all();
GRANT ALL ON full_disk TO PUBLIC;
"""


class TinyDisk:
    """One database's. Make it before nodes write, `close` it when the database is gone."""

    def __init__(self, postgres: Postgres, database: str) -> None:
        self._postgres, self._database = postgres, database
        self._space = f"tiny_{database}"
        self._folder = Path(tempfile.mkdtemp(prefix="subrosa-tiny-"))
        self._folder.chmod(0o755)
        self._place = self._folder / "disk"
        self._place.mkdir()
        options = f"size={SIZE},mode=0777"
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self._place)]
        self.mounted = (
            os.geteuid() == 0
            and not subprocess.run(mount, capture_output=True, check=False).returncode
        )

    def prepare(self) -> None:
        """Move the log of events to it, or have its writes watched."""
        if not self.mounted:
            self._run(_TRIGGER)
            return
        space = self._place / "space"
        space.mkdir(mode=0o700)
        owner = self._postgres._owner
        os.chown(space, owner.pw_uid, owner.pw_gid)
        self._run(f"CREATE TABLESPACE {self._space} LOCATION '{space}'")
        self._run(f"ALTER TABLE entry SET TABLESPACE {self._space}")

    def fill(self) -> None:
        """Leave no room."""
        if not self.mounted:
            self._run("INSERT INTO full_disk VALUES (true)")
            return
        with (self._place / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                return

    def empty(self) -> None:
        """Make room again."""
        if self.mounted:
            (self._place / "filler").unlink()
        else:
            self._run("DELETE FROM full_disk")

    def close(self) -> None:
        """Let go of it, once nothing of the database is there."""
        if self.mounted:
            self._run(f"DROP TABLESPACE IF EXISTS {self._space}", "postgres")
            subprocess.run(["umount", str(self._place)], check=True)
        shutil.rmtree(self._folder)

    def _run(self, statements: str, database: str = "") -> None:
        async def carry_out() -> None:
            connection = await asyncpg.connect(
                self._postgres.admin_url(database or self._database), timeout=5, ssl=False
            )
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        asyncio.run(carry_out())
