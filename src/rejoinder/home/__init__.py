"""One home folder: its archive and models, which of them speak, what is open, what is forgotten, and one's own text."""
