"""The editor's door: the Language Server Protocol."""
