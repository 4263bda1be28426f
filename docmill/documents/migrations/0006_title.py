"""The title that a document's author gave; "" for those ingested before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0005_field_words")]

    operations = [
        migrations.AddField(
            "document", "title", models.CharField(blank=True, default="", db_default="", max_length=500)
        ),
    ]
