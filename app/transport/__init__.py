"""Ways to a player: one file a transport."""
