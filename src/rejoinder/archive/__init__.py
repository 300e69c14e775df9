"""ROOM 1: where discussion comes in and lives."""
