"""What every door over HTTP shares: the app, who may ask, how much, and what is counted."""
