"""Reading where people are signed in."""

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db.models import QuerySet
from django.db.models.functions import Now

from accounts.models import User
from accounts.token_scope import unlimited_require


def sessions_of(user: User) -> QuerySet[UserSession]:
    """A person's own sessions in browsers that have not ended. Nobody sees another's, and no limited token any."""
    unlimited_require(user, "read where somebody is signed in")
    live = Session.objects.filter(expire_date__gt=Now()).values("session_key")
    found: QuerySet[UserSession] = UserSession.objects.filter(user=user, session_key__in=live)
    return found
