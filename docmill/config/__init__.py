"""The Django project: settings, addresses, logs. It names the other packages in strings only."""
