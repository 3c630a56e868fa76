"""The form by which one signs in on the admin site. Not below accounts.admin, which needs the site to be there."""

from typing import Any

from django.core.exceptions import ValidationError
from unfold.forms import AuthenticationForm

from accounts.api.actor import address_of, sender_of
from accounts.services.audit_refusals import sign_in_refused
from accounts.sign_in import handle_of, sign_in_count


class SignInForm(AuthenticationForm):  # type: ignore[misc]
    """Handle and password, counted together with the API's before the password is looked at."""

    def clean(self) -> dict[str, Any]:
        handle = str(self.cleaned_data.get("username", ""))
        if wait := sign_in_count(handle=handle, address=address_of(self.request)):
            raise ValidationError(f"Too many tries. Try again in {wait} s.", code="throttled")
        try:
            cleaned: dict[str, Any] = super().clean()
        except ValidationError:
            sign_in_refused(sender=sender_of(self.request), handle=handle_of(handle))
            raise
        return cleaned
