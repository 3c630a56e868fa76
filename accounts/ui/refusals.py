"""A page that says in two sentences why something cannot be done."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def refusal(request: HttpRequest, headline: str, detail: str, *, status: int) -> HttpResponse:
    """Says it, and leads back to the sign-in page or to one's account."""
    return render(request, "marina/refused.html", {"headline": headline, "detail": detail}, status=status)
