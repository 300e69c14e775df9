"""ROOM 6: the doors. An HTTP API of our own, one that OpenAI's clients can speak, the editor's, and the page."""
