"""A sentence encoder that others trained, run by a graph of our own, and posts compared by its vectors."""
