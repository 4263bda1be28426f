"""The words of chunks, for search: kept beside the chunks, counted a tenant by triggers, so that whatever writes or
removes a chunk's words keeps the counts right."""

from django.db import migrations
from django.db.utils import DatabaseError, NotSupportedError, ProgrammingError

EXTENSIONS = ("btree_gin", "pg_trgm")

TABLES = """
CREATE TABLE api_chunkwords (
    document_id uuid NOT NULL,
    ordinal int NOT NULL,
    user_id bigint NOT NULL,
    length int NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (document_id, ordinal),
    FOREIGN KEY (document_id, ordinal) REFERENCES api_chunk (document_id, ordinal) ON DELETE CASCADE
);
CREATE INDEX api_chunkwords_words ON api_chunkwords USING gin (user_id, words) WITH (fastupdate = off);

-- In how many chunks a tenant has a word. '' counts the chunks, ' ' their words.
CREATE TABLE api_tenantword (
    user_id bigint NOT NULL,
    word text NOT NULL,
    chunks bigint NOT NULL,
    PRIMARY KEY (user_id, word)
);
CREATE INDEX api_tenantword_trigrams ON api_tenantword USING gin (user_id, word gin_trgm_ops)
    WHERE left(word, 1) <> '=';
CREATE INDEX api_tenantword_gone ON api_tenantword (user_id) WHERE chunks = 0;

-- Changes that are not counted in yet: writers of one tenant only append, and never wait for each other.
CREATE TABLE api_tenantwordchange (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL,
    word text NOT NULL,
    chunks bigint NOT NULL
);
CREATE INDEX api_tenantwordchange_word ON api_tenantwordchange (user_id, word);
"""

TRIGGERS = """
CREATE FUNCTION api_count_words() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO api_tenantwordchange (user_id, word, chunks)
        SELECT user_id, word, count(*) FROM new_rows, unnest(tsvector_to_array(words)) AS word GROUP BY 1, 2
        UNION ALL SELECT user_id, '', count(*) FROM new_rows GROUP BY 1
        UNION ALL SELECT user_id, ' ', sum(length) FROM new_rows GROUP BY 1;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO api_tenantwordchange (user_id, word, chunks)
        SELECT user_id, word, -count(*) FROM old_rows, unnest(tsvector_to_array(words)) AS word GROUP BY 1, 2
        UNION ALL SELECT user_id, '', -count(*) FROM old_rows GROUP BY 1
        UNION ALL SELECT user_id, ' ', -sum(length) FROM old_rows GROUP BY 1;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER count_written AFTER INSERT ON api_chunkwords
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION api_count_words();
CREATE TRIGGER count_changed AFTER UPDATE ON api_chunkwords
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION api_count_words();
CREATE TRIGGER count_removed AFTER DELETE ON api_chunkwords
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION api_count_words();
"""

REMOVED = """
DROP TABLE api_chunkwords;
DROP TABLE api_tenantword;
DROP TABLE api_tenantwordchange;
DROP FUNCTION api_count_words();
"""


class MissingExtension(RuntimeError):
    """A PostgreSQL without what the search by words needs; the message says what to do."""


def create_extensions(apps, schema_editor):
    for name in EXTENSIONS:
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_extension WHERE extname = %s", [name])
            if cursor.fetchone():
                continue
            try:
                cursor.execute(f"CREATE EXTENSION {name}")
            except (DatabaseError, NotSupportedError, ProgrammingError) as error:
                raise MissingExtension(
                    f"The search by words needs PostgreSQL's extension {name}, and it cannot be created: {error}"
                    f" Install the server's contrib package (postgresql-contrib) or allow the extension where your"
                    f" provider lists them, run 'CREATE EXTENSION {name}' as an administrator, then 'docmill setup'."
                ) from error


class Migration(migrations.Migration):
    dependencies = [("api", "0006_title")]

    operations = [
        migrations.RunPython(create_extensions, migrations.RunPython.noop),
        migrations.RunSQL(TABLES + TRIGGERS, REMOVED),
    ]
