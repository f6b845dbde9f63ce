"""What everything stands on: errors, files, registries, devices, pictures, a cache."""
