"""How far conversations were handed on to their channels, and what their messages were proved by."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "deliveries",
        sa.Column("conversation_id", sa.String(length=24), nullable=False),
        sa.Column("target", sa.String(length=10), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("address", sa.JSON(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversations.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("conversation_id", "target"),
    )
    op.create_table(
        "proofs",
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("proof", sa.String(length=64), nullable=False),
        sa.Column("given_id", sa.String(length=64), nullable=False),
        sa.Column("conversation_id", sa.String(length=24), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "proof"),
    )
    op.create_index("proofs_at", "proofs", ["at"], unique=False)


def downgrade() -> None:
    """Drop them."""
    for table in ("proofs", "deliveries"):
        op.drop_table(table)
