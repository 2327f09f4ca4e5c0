"""The demo: a page, its socket, and the players of one engine."""
