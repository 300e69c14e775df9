"""Models to give away: made by a recipe, audited for what they would give away of what they read."""
