"""What an action began, with the way to where it is told how far that is."""

from django.contrib import messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from clusters.models import Operation


def operation_told(request: HttpRequest, begins: str, operation: Operation) -> None:
    """`begins` is the sentence, without its dot."""
    page = reverse("admin:clusters_operation_change", args=(operation.pk,))
    messages.success(request, format_html('{}: operation <a href="{}">{}</a>.', begins, page, operation.pk))
