"""The admin site's pages for people and roles. Whatever changes rows there goes through the services."""

from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.admin.organizations import OrganizationAdmin, ProjectAdmin, TeamAdmin
from accounts.admin.records import AccessTokenAdmin, AuditEventAdmin, FederationRuleAdmin, ServiceAccountAdmin
from accounts.admin.role_bindings import RoleBindingAdmin
from accounts.admin.users import UserAdmin
from accounts.models import (
    AccessToken,
    AuditEvent,
    FederationRule,
    Organization,
    Project,
    RoleBinding,
    ServiceAccount,
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
admin.site.register(ServiceAccount, ServiceAccountAdmin)
admin.site.register(FederationRule, FederationRuleAdmin)
admin.site.register(AuditEvent, AuditEventAdmin)
