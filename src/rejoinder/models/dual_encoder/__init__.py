"""The dual encoder: what is said and what is answered, each encoded apart and compared by an inner product."""
