"""The first catalogue.

Artifacts and their names, digests, bytes and places; what the hubs publish; lineage, licences, verdicts; intents and
trash. SQLite also gets a full-text index kept by triggers, and views for people who open the file with other tools.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPLICATION_ID = 0x53444B50  # "SDKP": the mark by which `file` and sdkeep itself know the database


def upgrade() -> None:
    artifacts()
    places()
    releases()
    evidence()
    housekeeping()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        for statement in (*SEARCH, *VIEWS):
            op.execute(sa.text(statement.replace(":", "\\:")))


def downgrade() -> None:
    raise RuntimeError("nothing lies before the first catalogue; restore a backup instead")


def artifacts() -> None:
    op.create_table(
        "artifact",
        key(),
        sa.Column("sha256", sa.Text()),
        *texts("title", "file_name"),
        sa.Column("size", whole()),
        *texts("kind", "family", "base", "variant", "format", "precision", "algorithm", "level", "origin", "added_at"),
        *texts("preview", "trigger_words", "keywords", "description"),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.UniqueConstraint("sha256", name="uq_artifact_sha256"),
    )
    index("artifact", "added_at", "id")
    index("artifact", "kind", "added_at", "id")
    index("artifact", "family", "added_at", "id")
    index("artifact", "base", "added_at", "id")
    index("artifact", "origin")
    op.create_table(
        "artifact_name",
        *texts("name"),
        owner("artifact_id"),
        sa.PrimaryKeyConstraint("name", name="pk_artifact_name"),
        sa.UniqueConstraint("artifact_id", name="uq_artifact_name_artifact_id"),
        owned("artifact_name", "artifact_id", "artifact"),
    )
    op.create_table(
        "digest",
        key(),
        owner("artifact_id"),
        *texts("kind", "value"),
        flag("ours"),
        sa.PrimaryKeyConstraint("id", name="pk_digest"),
        sa.UniqueConstraint("artifact_id", "kind", "value", name="uq_digest_artifact_id_kind_value"),
        owned("digest", "artifact_id", "artifact"),
    )
    index("digest", "value", "kind")


def places() -> None:
    op.create_table(
        "blob",
        key(),
        owner("artifact_id"),
        *texts("root"),
        sa.Column("size", whole(), nullable=False),
        *texts("stored_at", "verified_at"),
        sa.PrimaryKeyConstraint("id", name="pk_blob"),
        sa.UniqueConstraint("artifact_id", "root", name="uq_blob_artifact_id_root"),
        owned("blob", "artifact_id", "artifact"),
    )
    index("blob", "root")
    op.create_table(
        "ui",
        key(),
        *texts("name", "layout", "root", "template", "added_at"),
        sa.PrimaryKeyConstraint("id", name="pk_ui"),
        sa.UniqueConstraint("name", name="uq_ui_name"),
    )
    op.create_table(
        "location",
        key(),
        *texts("path"),
        owner("artifact_id"),
        sa.Column("ui_id", sa.Integer()),
        *texts("method"),
        flag("ours"),
        *texts("blob_root", "inode"),
        sa.Column("mtime_ns", whole(), nullable=False),
        sa.Column("size", whole(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_location"),
        sa.UniqueConstraint("path", name="uq_location_path"),
        owned("location", "artifact_id", "artifact"),
        owned("location", "ui_id", "ui", "SET NULL"),
    )
    index("location", "artifact_id")
    index("location", "ui_id", "artifact_id")
    op.create_table(
        "sidecar",
        key(),
        *texts("path"),
        owner("artifact_id"),
        sa.Column("ui_id", sa.Integer()),
        *texts("content"),
        sa.PrimaryKeyConstraint("id", name="pk_sidecar"),
        sa.UniqueConstraint("path", name="uq_sidecar_path"),
        owned("sidecar", "artifact_id", "artifact"),
        owned("sidecar", "ui_id", "ui", "SET NULL"),
    )
    index("sidecar", "artifact_id")


def releases() -> None:
    op.create_table(
        "model",
        key(),
        *texts("hub", "hub_id", "name", "creator", "kind"),
        sa.PrimaryKeyConstraint("id", name="pk_model"),
        sa.UniqueConstraint("hub", "hub_id", name="uq_model_hub_hub_id"),
    )
    op.create_table(
        "release",
        key(),
        owner("model_id"),
        *texts("hub_id", "name", "kind", "kind_text", "base", "family", "level"),
        *(flag(name) for name in ("nsfw", "poi", "minor", "sfw_only")),
        sa.Column("merged", sa.Boolean()),
        *texts("access", "access_until", "published_at", "page", "air"),
        sa.Column("downloads", whole(), nullable=False),
        sa.Column("rating", sa.Float()),
        *texts("trigger_words", "tags", "previews", "parents", "description"),
        sa.PrimaryKeyConstraint("id", name="pk_release"),
        sa.UniqueConstraint("model_id", "hub_id", name="uq_release_model_id_hub_id"),
        owned("release", "model_id", "model"),
    )
    index("release", "hub_id")
    op.create_table(
        "release_file",
        key(),
        owner("release_id"),
        *texts("hub_id"),
        sa.Column("artifact_id", sa.Integer()),
        sa.Column("position", sa.Integer()),
        *texts("name", "url", "fallbacks"),
        sa.Column("size", whole()),
        sa.Column("about", whole()),
        *texts("digests", "role", "format", "precision", "extent"),
        flag("is_primary"),
        sa.PrimaryKeyConstraint("id", name="pk_release_file"),
        owned("release_file", "release_id", "release"),
        owned("release_file", "artifact_id", "artifact", "SET NULL"),
    )
    index("release_file", "release_id")
    index("release_file", "artifact_id")
    op.create_table(
        "raw",
        owner("release_id"),
        *texts("json_text", "seen_at"),
        sa.PrimaryKeyConstraint("release_id", name="pk_raw"),
        owned("raw", "release_id", "release"),
    )
    op.create_table(
        "claim",
        key(),
        owner("release_file_id"),
        *texts("scanner", "result", "message"),
        sa.PrimaryKeyConstraint("id", name="pk_claim"),
        owned("claim", "release_file_id", "release_file"),
    )
    index("claim", "release_file_id")


def evidence() -> None:
    op.create_table(
        "edge",
        key(),
        owner("child_id"),
        *texts("relation", "trust", "parent", "source", "verbatim"),
        sa.Column("weight", sa.Float()),
        *texts("method"),
        sa.PrimaryKeyConstraint("id", name="pk_edge"),
        owned("edge", "child_id", "artifact"),
    )
    index("edge", "child_id")
    index("edge", "parent", "trust")
    op.create_table(
        "licence",
        key(),
        sa.Column("artifact_id", sa.Integer()),
        sa.Column("release_id", sa.Integer()),
        *texts("licence", "name", "url", "allows", "base_model", "source", "seen_at", "verbatim"),
        sa.PrimaryKeyConstraint("id", name="pk_licence"),
        sa.UniqueConstraint("release_id", name="uq_licence_release_id"),
        owned("licence", "artifact_id", "artifact"),
        owned("licence", "release_id", "release"),
    )
    index("licence", "artifact_id")
    op.create_table(
        "verdict",
        key(),
        owner("artifact_id"),
        *texts("outcome", "container", "engine", "policy", "at", "findings", "unread"),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
        owned("verdict", "artifact_id", "artifact"),
    )
    index("verdict", "artifact_id")


def housekeeping() -> None:
    op.create_table(
        "intent",
        key(),
        *texts("action", "state", "begun_at", "closed_at", "detail"),
        sa.PrimaryKeyConstraint("id", name="pk_intent"),
    )
    index("intent", "state")
    op.create_table(
        "trash",
        *texts("id", "sha256"),
        sa.Column("size", whole(), nullable=False),
        *texts("path", "original", "reason", "at"),
        sa.PrimaryKeyConstraint("id", name="pk_trash"),
    )
    index("trash", "sha256")


def key() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), nullable=False)


def owner(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def whole() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def owned(table: str, column: str, by: str, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{by}.id"], name=f"fk_{table}_{column}_{by}", ondelete=ondelete)


def index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))


TAKE_OUT = """
    INSERT INTO artifact_search
        (artifact_search, rowid, name, title, file_name, base, trigger_words, keywords, description)
    SELECT 'delete', id, name, title, file_name, base, trigger_words, keywords, description
    FROM artifact_text WHERE id ="""
PUT_IN = """
    INSERT INTO artifact_search (rowid, name, title, file_name, base, trigger_words, keywords, description)
    SELECT id, name, title, file_name, base, trigger_words, keywords, description
    FROM artifact_text WHERE id ="""

# The index keeps no copy of the text: it is told the old words before a row changes and the new ones after.
SEARCH = (
    """
    CREATE VIEW artifact_text AS
    SELECT artifact.id, coalesce(artifact_name.name, '') AS name, title, file_name, base, trigger_words, keywords,
           description
    FROM artifact LEFT JOIN artifact_name ON artifact_name.artifact_id = artifact.id
    """,
    """
    CREATE VIRTUAL TABLE artifact_search USING fts5(
        name, title, file_name, base, trigger_words, keywords, description, content='artifact_text', content_rowid='id',
        tokenize='unicode61 remove_diacritics 2', prefix='1 2 3'
    )
    """,
    f"CREATE TRIGGER artifact_search_new AFTER INSERT ON artifact BEGIN {PUT_IN} new.id; END",
    f"CREATE TRIGGER artifact_search_old AFTER UPDATE ON artifact BEGIN {PUT_IN} new.id; END",
    f"CREATE TRIGGER artifact_search_change BEFORE UPDATE ON artifact BEGIN {TAKE_OUT} old.id; END",
    f"CREATE TRIGGER artifact_search_gone BEFORE DELETE ON artifact BEGIN {TAKE_OUT} old.id; END",
    f"CREATE TRIGGER artifact_name_unnamed BEFORE INSERT ON artifact_name BEGIN {TAKE_OUT} new.artifact_id; END",
    f"CREATE TRIGGER artifact_name_named AFTER INSERT ON artifact_name BEGIN {PUT_IN} new.artifact_id; END",
    f"CREATE TRIGGER artifact_name_old BEFORE UPDATE ON artifact_name BEGIN {TAKE_OUT} old.artifact_id; END",
    f"CREATE TRIGGER artifact_name_new AFTER UPDATE ON artifact_name BEGIN {PUT_IN} new.artifact_id; END",
    f"CREATE TRIGGER artifact_name_leaving BEFORE DELETE ON artifact_name BEGIN {TAKE_OUT} old.artifact_id; END",
    f"CREATE TRIGGER artifact_name_left AFTER DELETE ON artifact_name BEGIN {PUT_IN} old.artifact_id; END",
)

VIEWS = (
    """
    CREATE VIEW files AS
    SELECT n.name, a.kind, a.family, a.base, a.title, a.size, a.format, l.path, ui.name AS ui, l.method,
           (SELECT outcome FROM verdict v WHERE v.artifact_id = a.id ORDER BY v.id DESC LIMIT 1) AS verdict,
           a.origin, a.added_at, a.sha256
    FROM artifact a
    LEFT JOIN artifact_name n ON n.artifact_id = a.id
    LEFT JOIN location l ON l.artifact_id = a.id
    LEFT JOIN ui ON ui.id = l.ui_id
    """,
    """
    CREATE VIEW ancestry AS
    SELECT n.name AS child, e.relation, e.trust, e.parent, e.weight, e.method, e.source, e.verbatim
    FROM edge e JOIN artifact_name n ON n.artifact_id = e.child_id
    """,
    """
    CREATE VIEW findings AS
    SELECT n.name, v.outcome, json_extract(f.value, '$.severity') AS severity,
           json_extract(f.value, '$.rule') AS rule, json_extract(f.value, '$.callable') AS callable,
           json_extract(f.value, '$.why') AS why, v.engine, v.policy, v.at
    FROM verdict v JOIN artifact_name n ON n.artifact_id = v.artifact_id, json_each(v.findings) f
    """,
    """
    CREATE VIEW published AS
    SELECT m.hub, m.name AS model, r.name AS release, r.base, f.name AS file, f.size, n.name AS artifact, r.page,
           r.published_at
    FROM release r JOIN model m ON m.id = r.model_id
    JOIN release_file f ON f.release_id = r.id
    LEFT JOIN artifact_name n ON n.artifact_id = f.artifact_id
    """,
)
