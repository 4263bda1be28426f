from django.conf import settings
from django.db import migrations, models


def name_the_index(apps, schema_editor):
    """The index that the settings name at the upgrade is the one in use."""
    rows = apps.get_model('api', 'VectorIndex').objects.filter(store='pinecone')
    rows.update(store=f'pinecone:{settings.PINECONE_INDEX}')


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0002_reindexing'),
    ]

    operations = [
        migrations.AddField(
            model_name='vectorindex',
            name='address',
            field=models.CharField(blank=True, default='', max_length=255),
        ),
        migrations.AlterField(
            model_name='vectorindex',
            name='store',
            field=models.CharField(max_length=120),
        ),
        migrations.RemoveConstraint(
            model_name='vectorindex',
            name='one_index_per_model',
        ),
        migrations.AddConstraint(
            model_name='vectorindex',
            constraint=models.UniqueConstraint(fields=('store', 'address', 'model', 'dimension'), name='one_index_per_model'),
        ),
        migrations.RunPython(name_the_index, migrations.RunPython.noop),
    ]
