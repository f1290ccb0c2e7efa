"""Run by Alembic: upgrades over the connection that `weitiao.store.database` hands over."""

from alembic import context

from weitiao.store.tables import Row

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Row.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
)
context.run_migrations()
