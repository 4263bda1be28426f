"""Columns get the words that the code uses: rows stay as they are."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("api", "0004_scanned_pages")]

    operations = [
        migrations.RenameField("document", "rung_at", "enqueued_at"),
        migrations.RenameField("scannedpage", "is_holders", "reserved"),
    ]
