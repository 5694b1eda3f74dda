"""The library in step: running WebUIs, adopted folders, what went missing, pins, archives, look-ups, pictures made.

The table `trash` goes: nothing wrote it, for the trash on the disk carries its own notes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WORDS = "title, file_name, base, trigger_words, keywords, description"
TAKE_OUT = """
    INSERT INTO artifact_search
        (artifact_search, rowid, name, title, file_name, base, trigger_words, keywords, description)
    SELECT 'delete', id, name, title, file_name, base, trigger_words, keywords, description
    FROM artifact_text WHERE id = old.id; END"""
PUT_IN = """
    INSERT INTO artifact_search (rowid, name, title, file_name, base, trigger_words, keywords, description)
    SELECT id, name, title, file_name, base, trigger_words, keywords, description
    FROM artifact_text WHERE id = new.id; END"""

ADDED = (
    ("ui", "url"),
    ("ui", "share"),
    ("location", "missing_at"),
    ("location", "verified_at"),
    ("model", "gone_at"),
    ("model", "checked_at"),
)


def upgrade() -> None:
    for table, column in ADDED:
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_edge_trust_parent", "edge", ["trust", "parent"])
    op.create_table(
        "pin",
        key(),
        owner("model_id"),
        sa.Column("release_id", sa.Integer()),
        *texts("note", "at"),
        sa.PrimaryKeyConstraint("id", name="pk_pin"),
        sa.UniqueConstraint("model_id", name="uq_pin_model_id"),
        owned("pin", "model_id", "model"),
        owned("pin", "release_id", "release"),
    )
    index("pin", "release_id")
    op.create_table(
        "unpacked",
        key(),
        owner("release_file_id"),
        owner("artifact_id"),
        *texts("member"),
        sa.PrimaryKeyConstraint("id", name="pk_unpacked"),
        sa.UniqueConstraint(
            "release_file_id", "artifact_id", "member", name="uq_unpacked_release_file_id_artifact_id_member"
        ),
        owned("unpacked", "release_file_id", "release_file"),
        owned("unpacked", "artifact_id", "artifact"),
    )
    index("unpacked", "artifact_id")
    op.create_table(
        "lookup",
        key(),
        *texts("sha256", "place", "at"),
        sa.Column("found", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_lookup"),
        sa.UniqueConstraint("sha256", "place", name="uq_lookup_sha256_place"),
    )
    op.create_table(
        "adopted",
        key(),
        *texts("path", "at"),
        sa.PrimaryKeyConstraint("id", name="pk_adopted"),
        sa.UniqueConstraint("path", name="uq_adopted_path"),
    )
    pictures()
    op.drop_table("trash")
    index_words(f"UPDATE OF {WORDS}")


def index_words(update: str) -> None:
    """The text index follows an artifact after `update` of it: what is not its words, a hash say, need not touch it."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("artifact_search_old", "artifact_search_change"):
            op.execute(f"DROP TRIGGER {name}")
        op.execute(f"CREATE TRIGGER artifact_search_old AFTER {update} ON artifact BEGIN {PUT_IN}")
        op.execute(f"CREATE TRIGGER artifact_search_change BEFORE {update} ON artifact BEGIN {TAKE_OUT}")


def pictures() -> None:
    op.create_table(
        "generation",
        key(),
        *texts("sha256", "path", "made_at", "prompt", "negative", "infotext", "settings", "seed"),
        *(sa.Column(name, whole(), nullable=False) for name in ("width", "height")),
        sa.PrimaryKeyConstraint("id", name="pk_generation"),
        sa.UniqueConstraint("path", name="uq_generation_path"),
    )
    index("generation", "sha256")
    index("generation", "made_at", "id")
    op.create_table(
        "generation_model",
        key(),
        owner("generation_id"),
        sa.Column("artifact_id", sa.Integer()),
        *texts("role", "name", "sha256"),
        sa.Column("weight", sa.Float()),
        sa.PrimaryKeyConstraint("id", name="pk_generation_model"),
        owned("generation_model", "generation_id", "generation"),
        owned("generation_model", "artifact_id", "artifact", "SET NULL"),
    )
    index("generation_model", "generation_id")
    index("generation_model", "artifact_id")


def downgrade() -> None:
    index_words("UPDATE")
    op.create_table(
        "trash",
        *texts("id", "sha256"),
        sa.Column("size", whole(), nullable=False),
        *texts("path", "original", "reason", "at"),
        sa.PrimaryKeyConstraint("id", name="pk_trash"),
    )
    index("trash", "sha256")
    for table in ("generation_model", "generation", "adopted", "lookup", "unpacked", "pin"):
        op.drop_table(table)
    op.drop_index("ix_edge_trust_parent", "edge")
    for table, column in ADDED:
        op.drop_column(table, column)


def whole() -> sa.BigInteger:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), nullable=False)


def owner(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def owned(table: str, column: str, by: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{by}.id"], name=f"fk_{table}_{column}_{by}", ondelete=ondelete)


def index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
