"""A folder of documents that can be asked: by words and by meaning, with refusal where nothing answers."""

from weitiao.index.documents import Fault
from weitiao.index.index import Changes, Hit, Index, open_index
from weitiao.index.passages import Passage

__all__ = ["Changes", "Fault", "Hit", "Index", "Passage", "open_index"]
