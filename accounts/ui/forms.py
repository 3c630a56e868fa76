"""Forms of the pages. Errors stand at their fields; passwords and codes are never shown again."""

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from accounts.api.actor import address_of, sender_of
from accounts.errors import InvalidInput
from accounts.models import User
from accounts.services.audit_refusals import sign_in_refused
from accounts.services.second_factors import WRONG_CODE, code_use
from accounts.sign_in import code_count, handle_of, sign_in_count
from accounts.spans import span_words


class PageForm(forms.Form):
    """A form as marina/form.html shows it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            kind = "form-select" if isinstance(field.widget, forms.Select) else "form-control"
            field.widget.attrs.setdefault("class", kind)

    def errors_take(self, error: InvalidInput) -> None:
        """Puts what a service refused to where it belongs."""
        for each in error.errors:
            self.add_error(each.field if each.field in self.fields else None, each.message)


def password_field(label: str, *, new: bool = False) -> forms.CharField:
    """A password, as browsers' stores of them understand it."""
    kind = "new-password" if new else "current-password"
    return forms.CharField(
        label=label, strip=False, max_length=1000, widget=forms.PasswordInput(attrs={"autocomplete": kind})
    )


def code_field(label: str, help_text: str = "") -> forms.CharField:
    """A code of an app, or a recovery code."""
    attributes = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
    return forms.CharField(label=label, max_length=20, help_text=help_text, widget=forms.TextInput(attrs=attributes))


def too_many(wait: int) -> ValidationError:
    """What is said to who tried too often."""
    return ValidationError(f"Too many tries. Try again in {span_words(wait)}.", code="throttled")


class SignInForm(PageForm):
    """Handle and password, counted together with the API's before the password is looked at."""

    login = forms.CharField(
        label="Handle",
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = password_field("Password")

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        self.user: User | None = None
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "login" not in cleaned or "password" not in cleaned:
            return cleaned
        # what cannot be a handle is looked for all the same, so that the answer takes as long
        handle = handle_of(cleaned["login"].strip())
        if wait := sign_in_count(handle=handle, address=address_of(self.request)):
            raise too_many(wait)
        user = authenticate(self.request, username=handle, password=cleaned["password"])
        if not isinstance(user, User):
            sign_in_refused(sender=sender_of(self.request), handle=handle)
            raise ValidationError("Handle and password do not fit, or the user was deactivated.")
        self.user = user
        return cleaned


class CodeForm(PageForm):
    """A code of the person's own second factor. Valid, it is used up, and `factor` is the one it belongs to."""

    factor: Any = None

    code = code_field("Code", "Six digits from your app, or one of your recovery codes.")

    def __init__(self, request: HttpRequest, user: User, *args: Any, **kwargs: Any) -> None:
        self.request, self.user = request, user
        super().__init__(*args, **kwargs)

    def clean_code(self) -> str:
        """Uses the code up."""
        code: str = self.cleaned_data["code"]
        address = address_of(self.request)
        if wait := code_count(handle=self.user.handle, address=address):
            raise too_many(wait)
        actor = replace(sender_of(self.request), user=self.user, name="")
        self.factor = code_use(actor=actor, user=self.user, code=code, now=timezone.now())
        if self.factor is None:
            why = "The code of the second factor did not fit."
            sign_in_refused(sender=sender_of(self.request), handle=self.user.handle, why=why)
            raise ValidationError(WRONG_CODE)
        return code


class CurrentPasswordForm(PageForm):
    """Asks who has a password for it, before something that a borrowed browser should not do."""

    current = password_field("Your password")

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(*args, **kwargs)
        user = request.user
        if not (isinstance(user, User) and user.has_usable_password()):
            del self.fields["current"]

    def clean_current(self) -> str:
        """The password, counted like a sign-in."""
        current: str = self.cleaned_data["current"]
        user = self.request.user
        if not isinstance(user, User):
            raise ValidationError("Sign in first.")
        if wait := sign_in_count(handle=user.handle, address=address_of(self.request)):
            raise too_many(wait)
        if not user.check_password(current):
            raise ValidationError("This is not your present password.")
        return current


class SetUpForm(CurrentPasswordForm):
    """The first code of a new app."""

    code = code_field("Code", "The six digits that the app shows now.")
    field_order = ["code", "current"]


class NameForm(PageForm):
    """What pages call the person."""

    name = forms.CharField(
        label="Name", max_length=150, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class PasswordForm(CurrentPasswordForm):
    """Another password."""

    current = password_field("Present password")
    new = password_field("New password", new=True)
    again = password_field("New password again", new=True)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "new" in cleaned and "again" in cleaned and cleaned["new"] != cleaned["again"]:
            self.add_error("again", "The two new passwords differ.")
        return cleaned


DAYS = (7, 30, 90, 365)


class TokenForm(PageForm):
    """A new access token."""

    name = forms.CharField(label="What is it for?", max_length=100)
    days = forms.TypedChoiceField(
        label="Holds for", coerce=int, choices=[(days, f"{days} days") for days in DAYS], initial=30
    )


class DeviceForm(PageForm):
    """The code that a device shows."""

    code = forms.CharField(
        label="Code",
        max_length=20,
        help_text="Eight letters, as the device shows them.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )
