"""The admin site's pages for people and roles. Whatever changes rows there goes through the services."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.admin.group_mappings import GroupMappingAdmin
from accounts.admin.joining import InvitationAdmin, JoinRequestAdmin
from accounts.admin.organizations import OrganizationAdmin, ProjectAdmin, TeamAdmin
from accounts.admin.records import AccessTokenAdmin, AuditEventAdmin, FederationRuleAdmin, ServiceAccountAdmin
from accounts.admin.role_bindings import RoleBindingAdmin
from accounts.admin.roles import RoleAdmin
from accounts.admin.users import UserAdmin
from accounts.models import (
    AccessToken,
    AuditEvent,
    FederationRule,
    GroupMapping,
    Invitation,
    JoinRequest,
    Organization,
    Project,
    Role,
    RoleBinding,
    ServiceAccount,
    Team,
    User,
)

# groups belong to teams and follow them: nobody edits them by hand
admin.site.unregister(Group)
# issuers stand in the settings; sessions and second factors are their owners' affair, below /account
admin.site.unregister([EmailAddress, SocialApp, SocialAccount, SocialToken, Authenticator, UserSession])
admin.site.register(User, UserAdmin)
admin.site.register(Organization, OrganizationAdmin)
admin.site.register(Team, TeamAdmin)
admin.site.register(Project, ProjectAdmin)
admin.site.register(Role, RoleAdmin)
admin.site.register(RoleBinding, RoleBindingAdmin)
admin.site.register(GroupMapping, GroupMappingAdmin)
admin.site.register(AccessToken, AccessTokenAdmin)
admin.site.register(ServiceAccount, ServiceAccountAdmin)
admin.site.register(FederationRule, FederationRuleAdmin)
admin.site.register(AuditEvent, AuditEventAdmin)
admin.site.register(Invitation, InvitationAdmin)
admin.site.register(JoinRequest, JoinRequestAdmin)
