"""Running a service's Alembic revisions. Imported only when a schema lags behind."""

import asyncio
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def upgrade(url: str, *, schema: str, folder: Path) -> None:
    """Bring `schema` to the newest revision in `folder/versions`, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("version_locations", str(folder / "versions"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def run(connection: Connection) -> None:
        # "if not exists" alone would ask for the right to create schemas even where there is one.
        if schema not in inspect(connection).get_schema_names():
            connection.execute(text(f'create schema "{schema}"'))
        connection.execute(text(f'set search_path to "{schema}"'))
        with EnvironmentContext(config, script, fn=lambda rev, _: script._upgrade_revs("head", rev)) as env:  # noqa: SLF001 # type: ignore[arg-type] # as Alembic's own env.py does
            env.configure(connection=connection, version_table_schema=schema)
            env.run_migrations()

    async def main() -> None:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
        async with engine.begin() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    asyncio.run(main())
