"""The page and what runs in the browser."""
