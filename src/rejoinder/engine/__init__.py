"""ROOM 5: the help: ghost text for a draft, replies for a thread."""
