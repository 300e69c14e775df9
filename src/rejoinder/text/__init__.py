"""ROOM 2: text to tensors and back."""
