"""A WSGI server of one process and a few threads; of ours it imports only the errors."""
