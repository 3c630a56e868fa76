"""Admin pages whose changes go through services, so that access, audit and derived rows are the same as everywhere."""

from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin

from accounts.api.actor import sender_of
from accounts.api.refusals import admin_refused
from accounts.errors import MarinaError
from accounts.models import User
from accounts.services.audit import Actor


def admin_actor(request: HttpRequest) -> Actor:
    """Who acts in the admin site. Superusers act for the platform and need no role; their audit rows say so."""
    user = request.user
    if not isinstance(user, User):
        raise TypeError("the admin site lets nobody in who is not a user")
    return replace(sender_of(request), user=user, name="", platform=user.is_superuser)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows to look at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ServiceAdmin(ModelAdmin):  # type: ignore[misc]
    """Subclasses say which service creates, updates and deletes. What a service refuses is shown as a message."""

    fixed_fields: tuple[str, ...] = ()
    """Set when the row is made, and never after."""

    def service_create(self, actor: Actor, cleaned: dict[str, Any]) -> Model:
        """Makes the row from the form's values."""
        raise NotImplementedError

    def service_update(self, actor: Actor, row: Any, cleaned: dict[str, Any]) -> Model:
        """Changes the row, which is as the database has it."""
        raise NotImplementedError

    def service_delete(self, actor: Actor, row: Any) -> None:
        """Deletes the row."""
        raise NotImplementedError

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, *(self.fixed_fields if obj else ()))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        actor = admin_actor(request)
        if change:
            # the form has put its values into `obj` already; the service compares with what was
            row = self.service_update(actor, type(obj)._default_manager.get(pk=obj.pk), form.cleaned_data)
        else:
            row = self.service_create(actor, form.cleaned_data)
        obj.__dict__.update(row.__dict__)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Nothing: the service wrote what belongs to the row."""

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.service_delete(admin_actor(request), obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for row in queryset:
            self.service_delete(admin_actor(request), row)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._refusals_told(request, super().changeform_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._refusals_told(request, super().changelist_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self._refusals_told(request, super().delete_view, *args, **kwargs)

    def _refusals_told(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                answer: HttpResponse = view(request, *args, **kwargs)
                return answer
        except MarinaError as error:
            admin_refused(error, actor=admin_actor(request), model=self.model, request=request)
            messages.error(request, f"{error} {error.hint}".strip())
            return HttpResponseRedirect(request.get_full_path())
