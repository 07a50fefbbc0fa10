"""Lists of fired columns: how they are written, kept, found and read."""
