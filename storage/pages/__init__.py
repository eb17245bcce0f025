"""Page, Cursor, Window: parts of long lists, each as cheap as the first.

A list is walked by *keyset*: the next part begins after the sort value and id of the last row seen,
at any depth for the same price. A page number costs what it skips.
"""

from storage.pages.fetching import Statements, fetch_page, fetch_planned
from storage.pages.listing import COUNTED, COUNTED_FOUND, COUNTED_MATCHES, Listing
from storage.pages.walks import Apart, Group
from storage.pages.window import Cursor, Page, Window

__all__ = [
    "COUNTED",
    "COUNTED_FOUND",
    "COUNTED_MATCHES",
    "Apart",
    "Cursor",
    "Group",
    "Listing",
    "Page",
    "Statements",
    "Window",
    "fetch_page",
    "fetch_planned",
]
