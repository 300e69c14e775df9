"""The memory cell: its arithmetic spelled out, its training, its graphs, and the rung that runs them."""
