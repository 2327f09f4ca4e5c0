"""How the shipped small world is made: its renderer, data and training (nobody imports this room)."""
