"""A language model behind a server of the user's: how the server is asked, and the rung that asks it."""
