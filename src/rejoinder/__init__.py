"""rejoinder: learns from threaded discussion, finishes your sentence, proposes replies, and measures what each model is worth."""

__version__ = "0.1.0"
