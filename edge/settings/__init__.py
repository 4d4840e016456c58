"""The environment variables of devices, a module for each subject."""
