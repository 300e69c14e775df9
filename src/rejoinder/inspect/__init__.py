"""Pictures of what goes on inside a model: the memory cell, the word map."""
