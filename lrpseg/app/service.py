"""What the page's events and routes share. All state of a running page is behind these six."""

from dataclasses import dataclass, field

from lrpseg.app.analyser import Analyser
from lrpseg.app.listing import Listings
from lrpseg.app.reasons import Reasons
from lrpseg.app.views import LevelCache
from lrpseg.workspace import Limits, Sessions


@dataclass(frozen=True, eq=False)
class Service:
    """sessions: the workspaces on disk; analyser: the thread that runs the networks; limits: of
    what visitors may upload; levels: the last level maps; listings: the lists of pictures that tabs
    have; reasons: how far the last heatmaps explain. All are safe to use from any thread."""

    sessions: Sessions
    analyser: Analyser
    limits: Limits
    levels: LevelCache = field(default_factory=LevelCache)
    listings: Listings = field(default_factory=Listings)
    reasons: Reasons = field(default_factory=Reasons)

    def clear(self) -> None:
        """Free networks and arrays; the next use makes them anew."""
        self.analyser.segmenters.clear()
        self.sessions.clear()
        self.levels.clear()
        self.reasons.clear()
