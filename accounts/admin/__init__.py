"""The admin site's pages for people and roles. Whatever changes rows there goes through the services."""

from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.admin.joining import InvitationAdmin, JoinRequestAdmin
from accounts.admin.organizations import OrganizationAdmin, ProjectAdmin, TeamAdmin
from accounts.admin.records import AccessTokenAdmin, AuditEventAdmin
from accounts.admin.role_bindings import RoleBindingAdmin
from accounts.admin.users import UserAdmin
from accounts.models import (
    AccessToken,
    AuditEvent,
    Invitation,
    JoinRequest,
    Organization,
    Project,
    RoleBinding,
    Team,
    User,
)

# groups belong to teams and follow them: nobody edits them by hand
admin.site.unregister(Group)
admin.site.register(User, UserAdmin)
admin.site.register(Organization, OrganizationAdmin)
admin.site.register(Team, TeamAdmin)
admin.site.register(Project, ProjectAdmin)
admin.site.register(RoleBinding, RoleBindingAdmin)
admin.site.register(AccessToken, AccessTokenAdmin)
admin.site.register(AuditEvent, AuditEventAdmin)
admin.site.register(Invitation, InvitationAdmin)
admin.site.register(JoinRequest, JoinRequestAdmin)
