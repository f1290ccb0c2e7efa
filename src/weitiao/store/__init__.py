"""What a service keeps: one database, SQLite in a file by default, PostgreSQL where its URL is given.

with open_store("sqlite:///service.db") as store, store.write() as session:
    session.add(Key(…))
"""

from weitiao.store.database import Store, open_state, open_store

__all__ = ["Store", "open_state", "open_store"]
