"""How the small world is made: renderer, data, training. Nobody imports this room."""
