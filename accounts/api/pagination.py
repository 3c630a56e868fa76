"""Pages of lists: by cursor, so that rows made meanwhile neither repeat nor hide any."""

from rest_framework.pagination import CursorPagination


class CreatedCursorPagination(CursorPagination):
    """Newest first unless the view says otherwise; keys are UUIDv7, so they sort by time and are unique."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
