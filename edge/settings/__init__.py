"""The environment variables of devices: a module for each subject, and the file they are in."""
