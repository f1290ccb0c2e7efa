"""A folder of documents that can be asked: by words and by meaning, with refusal where nothing answers."""

from weitiao.index.documents import Fault
from weitiao.index.index import Changes, Hit, Index, open_index
from weitiao.index.passages import Passage
from weitiao.index.ranking import Clues

__all__ = ["Changes", "Clues", "Fault", "Hit", "Index", "Passage", "open_index"]
