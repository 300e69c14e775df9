"""ROOM 4: the measure, the same for every rung."""
