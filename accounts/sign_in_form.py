"""The form by which one signs in on the admin site. Not below accounts.admin, which needs the site to be there."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from accounts.api.actor import address_of
from accounts.sign_in import sign_in_count


class SignInForm(AuthenticationForm):  # type: ignore[misc]
    """Handle and password, counted together with the API's before the password is looked at."""

    def clean(self) -> dict[str, Any]:
        handle = str(self.cleaned_data.get("username", ""))
        if wait := sign_in_count(handle=handle, address=address_of(self.request)):
            raise ValidationError(f"Too many tries. Try again in {wait} s.", code="throttled")
        cleaned: dict[str, Any] = super().clean()
        return cleaned
