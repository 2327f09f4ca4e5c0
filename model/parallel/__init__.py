"""How one forward is spread over ranks."""
