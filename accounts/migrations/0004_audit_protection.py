"""What the database itself does for the audit log: see docs/audit.md."""

from django.db import migrations

from accounts.audit_protection import PROTECT, UNPROTECT, in_schema

# rows of before these columns kept both among the details
MOVE = """
UPDATE {schema}.accounts_auditevent
SET before = COALESCE(details->'before', '{{}}'), after = COALESCE(details->'after', '{{}}'),
    details = details - 'before' - 'after'
WHERE details ?| array['before', 'after'];
INSERT INTO {schema}.accounts_auditwaiting (event_id, organization_id)
SELECT id, organization_id FROM {schema}.accounts_auditevent;
"""


def protect(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(in_schema(cursor, MOVE))
        cursor.execute(in_schema(cursor, PROTECT))


def unprotect(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(in_schema(cursor, UNPROTECT))


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_audit_trail'),
    ]

    operations = [migrations.RunPython(protect, unprotect)]
