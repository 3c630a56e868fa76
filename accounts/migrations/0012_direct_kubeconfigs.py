from django.db import migrations, models

HELP = "Whether kubeconfigs that go past the gateway are given out: without audit, use or quick revocation."


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_invitation_mail'),
    ]

    # Projects that are there gave out nothing but direct ones: these go on until somebody turns it off.
    operations = [
        migrations.AddField(
            model_name='project',
            name='direct_kubeconfigs',
            field=models.BooleanField(default=True, help_text=HELP),
        ),
        migrations.AlterField(
            model_name='project',
            name='direct_kubeconfigs',
            field=models.BooleanField(default=False, help_text=HELP),
        ),
    ]
