"""One-time tickets: only a page that could read our own answer may open a socket."""

import secrets
import time
from collections import OrderedDict

LIFETIME_SECONDS = 60.0
TICKETS_KEPT = 1000


class Tickets:
    """Tickets that were given out and not yet used."""

    def __init__(self) -> None:
        self._expiry: OrderedDict[str, float] = OrderedDict()

    def issue(self) -> str:
        """A new ticket, good for one socket within a minute."""
        ticket = secrets.token_urlsafe(24)
        self._expiry[ticket] = time.monotonic() + LIFETIME_SECONDS
        while len(self._expiry) > TICKETS_KEPT:
            self._expiry.popitem(last=False)
        return ticket

    def redeem(self, ticket: str) -> bool:
        """Use up a ticket; False if it was never given out, is used or too old."""
        return self._expiry.pop(ticket, 0.0) > time.monotonic()
