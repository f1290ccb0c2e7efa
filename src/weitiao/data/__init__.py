"""Tables of examples: read → check → split, and tables of results: write.

Start at `load`: everything a caller needs of a labelled table is a `weitiao.types.Dataset` from there.
"""
