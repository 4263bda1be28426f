import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='IndexedDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('document_id', models.UUIDField()),
                ('user_id', models.BigIntegerField()),
                ('completed_at', models.DateTimeField()),
                ('index', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='documents', to='api.vectorindex')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('index', 'document_id'), name='one_entry_per_document_and_index')],
            },
        ),
    ]
