"""What Alembic runs: on the program's own connection, or for a developer on `alembic -x db=FILE …`."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection, create_engine

SEARCH = "artifact_search"


def ours(_item: Any, name: str | None, type_: str, _reflected: bool, _compare_to: Any) -> bool:
    """Leave out the full-text index and its shadow tables, which only SQLite has."""
    return not (type_ == "table" and (name or "").startswith(SEARCH))


def run(connection: Connection, metadata: Any) -> None:
    context.configure(
        connection=connection, target_metadata=metadata, render_as_batch=True, include_object=ours, compare_type=True
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes
if "connection" in given:
    run(given["connection"], given.get("metadata"))
else:
    from sdkeep.catalogue.tables import METADATA

    with create_engine(f"sqlite:///{context.get_x_argument(as_dictionary=True)['db']}").begin() as developer:
        run(developer, METADATA)
