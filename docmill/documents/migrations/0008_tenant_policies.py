"""Row-level security: a session sees the rows of the tenant in its setting `docmill.tenant`, all with `all`, else none.

The setting is read in scalar subqueries, so once a statement and not once a row.
"""

from django.db import migrations

EVERYBODY = "(SELECT coalesce(current_setting('docmill.tenant', true), '') = 'all')"
TENANT = (
    "(SELECT CASE WHEN current_setting('docmill.tenant', true) ~ '^[0-9]+$'"
    " THEN current_setting('docmill.tenant', true)::bigint END)"
)
OF_OWNER = f"{EVERYBODY} OR user_id = {TENANT}"
OF_DOCUMENT = f"{EVERYBODY} OR EXISTS (SELECT FROM api_document d WHERE d.id = document_id AND d.user_id = {TENANT})"
POLICIES = {
    "api_document": OF_OWNER,
    "api_cachedvector": OF_OWNER,
    "api_indexeddocument": OF_OWNER,
    "api_chunk": OF_DOCUMENT,
    "api_scannedpage": OF_DOCUMENT,
}


def _policy(table: str, condition: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY;"
        f"CREATE POLICY tenant ON {table} USING ({condition}) WITH CHECK ({condition});",
        f"DROP POLICY tenant ON {table};"
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;"
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;",
    )


class Migration(migrations.Migration):
    dependencies = [("api", "0007_words")]
    operations = [_policy(table, condition) for table, condition in POLICIES.items()]
